package report

// Numbers of the system calls that are probed.
const (
	sysClone3         = 435
	sysSetns          = 268
	sysMount          = 40
	sysUmount2        = 39
	sysPivotRoot      = 41
	sysChroot         = 51
	sysUnshare        = 97
	sysFsopen         = 430
	sysOpenTree       = 428
	sysMoveMount      = 429
	sysPtrace         = 117
	sysProcessVMReadv = 270
	sysKeyctl         = 219
	sysAddKey         = 217
	sysRequestKey     = 218
	sysBPF            = 280
	sysPerfEventOpen  = 241
	sysUserfaultfd    = 282
	sysIOUringSetup   = 425
	sysOpenByHandleAt = 265
	sysNameToHandleAt = 264
	sysInitModule     = 105
	sysKexecLoad      = 104
	sysSwapon         = 224
	sysAcct           = 89
	sysSettimeofday   = 170
	sysSethostname    = 161
	sysQuotactl       = 60
	sysSyslog         = 116
)
