package report

import (
	"os"
	"strings"
)

const maxEnvironmentNames = 4096

var captured []string

// CaptureEnvironment remembers the names of the variables that the runner was started with; call it before they are cleared.
func CaptureEnvironment() {
	captured = namesOf(os.Environ())
}

func environmentNames() []string {
	if captured == nil {
		return namesOf(os.Environ())
	}
	return captured
}

func namesOf(variables []string) []string {
	names := make([]string, 0, len(variables))
	for _, variable := range variables {
		name, _, _ := strings.Cut(variable, "=")
		if len(names) < maxEnvironmentNames {
			names = append(names, name)
		}
	}
	return names
}
