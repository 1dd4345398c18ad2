package report

// Numbers of the system calls that are probed.
const (
	sysClone3         = 435
	sysSetns          = 308
	sysMount          = 165
	sysUmount2        = 166
	sysPivotRoot      = 155
	sysChroot         = 161
	sysUnshare        = 272
	sysFsopen         = 430
	sysOpenTree       = 428
	sysMoveMount      = 429
	sysPtrace         = 101
	sysProcessVMReadv = 310
	sysKeyctl         = 250
	sysAddKey         = 248
	sysRequestKey     = 249
	sysBPF            = 321
	sysPerfEventOpen  = 298
	sysUserfaultfd    = 323
	sysIOUringSetup   = 425
	sysOpenByHandleAt = 304
	sysNameToHandleAt = 303
	sysInitModule     = 175
	sysKexecLoad      = 246
	sysSwapon         = 167
	sysAcct           = 163
	sysSettimeofday   = 164
	sysSethostname    = 170
	sysQuotactl       = 179
	sysSyslog         = 103
)
