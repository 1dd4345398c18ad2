package report

import "syscall"

const (
	familyRDS        = 21
	familyTIPC       = 30
	familyBluetooth  = 31
	familyALG        = 38
	familyVsock      = 40
	netlinkNetfilter = 12
)

var socketProbes = []probe{
	{"socket-packet", socket(syscall.AF_PACKET, syscall.SOCK_DGRAM, 0)},
	{"socket-raw", socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)},
	{"socket-vsock", socket(familyVsock, syscall.SOCK_STREAM, 0)},
	{"socket-alg", socket(familyALG, syscall.SOCK_SEQPACKET, 0)},
	{"socket-tipc", socket(familyTIPC, syscall.SOCK_SEQPACKET, 0)},
	{"socket-rds", socket(familyRDS, syscall.SOCK_SEQPACKET, 0)},
	{"socket-bluetooth", socket(familyBluetooth, syscall.SOCK_RAW, 0)},
	{"socket-netlink-netfilter", socket(syscall.AF_NETLINK, syscall.SOCK_RAW, netlinkNetfilter)},
}

// socket makes a socket, bound to nothing, and closes it. EAFNOSUPPORT, of a kernel without the family, is no refusal: a
// module could bring it.
func socket(family, kind, protocol uintptr) func() syscall.Errno {
	return func() syscall.Errno {
		fd, errno := callFor(syscall.SYS_SOCKET, family, kind|syscall.SOCK_CLOEXEC, protocol)
		if errno == 0 {
			syscall.Close(int(fd))
		}
		return errno
	}
}
