package report

const (
	ptraceAttach = 16
	// noProcess is above any pid.
	noProcess         = 0x7ffffffe
	syslogSizeBuffer  = 10
	notForKexec       = 0x8000
	noKeyctlOperation = 0x7fffffff
)

var kernelProbes = []probe{
	{"ptrace", calling(sysPtrace, ptraceAttach, noProcess, 0, 0)},
	// Flags other than 0 are EINVAL.
	{"process_vm_readv", calling(sysProcessVMReadv, noProcess, 0, 0, 0, 0, 1)},
	{"keyctl", calling(sysKeyctl, noKeyctlOperation)},
	{"add_key", calling(sysAddKey, 0, 0, 0, 0, 0)},
	{"request_key", calling(sysRequestKey, 0, 0, 0, 0)},
	{"bpf", calling(sysBPF, 0x7fffffff, 0, 0)},
	{"perf_event_open", calling(sysPerfEventOpen, 0, 0, invalid, invalid, invalid)},
	{"userfaultfd", calling(sysUserfaultfd, 0x7fffffff)},
	{"io_uring_setup", calling(sysIOUringSetup, 0, 0)},
	{"open_by_handle_at", calling(sysOpenByHandleAt, invalid, 0, 0)},
	{"name_to_handle_at", calling(sysNameToHandleAt, invalid, 0, 0, 0, 0x7fffffff)},
	{"init_module", calling(sysInitModule, 0, 0, 0)},
	// Never 0 segments without the wrong flag: that would unload a kernel that waits for a crash.
	{"kexec_load", calling(sysKexecLoad, 0, 0, 0, notForKexec)},
	{"swapon", calling(sysSwapon, 0, 0x7fffffff)},
	// Never a null pointer: that would end accounting.
	{"acct", calling(sysAcct, invalid)},
	{"settimeofday", calling(sysSettimeofday, invalid, 0)},
	{"sethostname", calling(sysSethostname, 0, invalid)},
	{"quotactl", calling(sysQuotactl, 0xffffffff, 0, 0, 0)},
	// The size of the kernel's log: `ok` where it isn't refused.
	{"syslog", calling(sysSyslog, syslogSizeBuffer, 0, 0)},
}
