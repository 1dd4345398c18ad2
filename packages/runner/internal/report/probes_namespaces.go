package report

import "syscall"

// notForUnshare is CLONE_PARENT, a flag that unshare refuses with EINVAL before anything else.
const notForUnshare = 0x8000

var namespaceProbes = []probe{
	{"unshare-user", calling(sysUnshare, syscall.CLONE_NEWUSER|notForUnshare)},
	{"unshare-mount", calling(sysUnshare, syscall.CLONE_NEWNS|notForUnshare)},
	// clone3's flags are in memory, where no filter sees them: it is refused as a whole. A size of 0 is EINVAL.
	{"clone3-user", calling(sysClone3, 0, 0)},
	{"setns", calling(sysSetns, invalid, 0)},
}

var mountProbes = []probe{
	// Without a target: EFAULT.
	{"mount", calling(sysMount, 0, 0, 0, 0, 0)},
	{"umount", calling(sysUmount2, 0, 0x7fffffff)},
	{"pivot_root", calling(sysPivotRoot, 0, 0)},
	{"chroot", calling(sysChroot, 0)},
	{"fsopen", calling(sysFsopen, 0, invalid)},
	{"open_tree", calling(sysOpenTree, invalid, 0, invalid)},
	{"move_mount", calling(sysMoveMount, invalid, 0, invalid, 0, invalid)},
}
