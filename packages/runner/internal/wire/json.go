package wire

import (
	"encoding/json"
	"unicode/utf8"
)

const (
	maxDepth   = 8
	maxInteger = 1<<53 - 1
)

// CheckJSON says whether text is JSON as the protocol allows it: one object in UTF-8, no duplicate and no `__proto__` key,
// nested at most 8 deep, integers of at most 53 bits only.
func CheckJSON(text []byte) error {
	if !utf8.Valid(text) {
		return Violationf("JSON that is not UTF-8")
	}
	if err := checkShape(text); err != nil {
		return err
	}
	if !json.Valid(text) {
		return Violationf("malformed JSON")
	}
	for _, c := range text {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			if c != '{' {
				return Violationf("JSON that is no object")
			}
			break
		}
	}
	return nil
}

// DecodeJSON checks text and decodes it.
func DecodeJSON(text []byte, value any) error {
	if err := CheckJSON(text); err != nil {
		return err
	}
	return json.Unmarshal(text, value)
}

// checkShape is one pass over the tokens for what encoding/json lets through. Malformed text is left for it to refuse.
func checkShape(text []byte) error {
	var scopes []map[string]bool // nil within an array
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			end := endOfString(text, i)
			if end < 0 {
				return Violationf("malformed JSON")
			}
			if n := len(scopes); n > 0 && scopes[n-1] != nil && followedByColon(text, end) {
				var key string
				if json.Unmarshal(text[i:end], &key) != nil {
					return Violationf("malformed JSON")
				}
				if key == "__proto__" {
					return Violationf("JSON with a __proto__ key")
				}
				if scopes[n-1][key] {
					return Violationf("JSON with a duplicate key")
				}
				scopes[n-1][key] = true
			}
			i = end
		case c == '{' || c == '[':
			if len(scopes) == maxDepth {
				return Violationf("JSON nested more than %d deep", maxDepth)
			}
			var scope map[string]bool
			if c == '{' {
				scope = make(map[string]bool)
			}
			scopes = append(scopes, scope)
			i++
		case c == '}' || c == ']':
			if len(scopes) > 0 {
				scopes = scopes[:len(scopes)-1]
			}
			i++
		case c == '-' || (c >= '0' && c <= '9'):
			end, ok := integer(text, i)
			if !ok {
				return Violationf("a JSON number that is no integer of 53 bits")
			}
			i = end
		default:
			i++
		}
	}
	return nil
}

func endOfString(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

func followedByColon(text []byte, i int) bool {
	for ; i < len(text); i++ {
		switch text[i] {
		case ':':
			return true
		case ' ', '\t', '\n', '\r':
		default:
			return false
		}
	}
	return false
}

// integer returns the end of the number that starts at i, and whether it is an integer of 53 bits.
func integer(text []byte, i int) (int, bool) {
	if text[i] == '-' {
		i++
	}
	start, value := i, uint64(0)
	for ; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		if value = value*10 + uint64(text[i]-'0'); value > maxInteger {
			return i, false
		}
	}
	if i < len(text) && (text[i] == '.' || text[i] == 'e' || text[i] == 'E' || text[i] == '+' || text[i] == '-') {
		return i, false
	}
	return i, i > start
}
