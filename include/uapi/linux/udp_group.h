/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Group unicast for UDP: one send() transmits a datagram to every member.
 *
 * Documentation/networking/udp_group.rst describes the interface.
 */
#ifndef _UAPI_LINUX_UDP_GROUP_H
#define _UAPI_LINUX_UDP_GROUP_H

#ifndef __KERNEL__
#include <netinet/in.h>		/* for sockaddr_in and sockaddr_in6	*/
#include <sys/socket.h>		/* for struct sockaddr			*/
#endif

#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/in.h>		/* for sockaddr_in			*/
#include <linux/in6.h>		/* for sockaddr_in6			*/
#include <linux/socket.h>	/* for struct sockaddr			*/
#endif

/*
 * Options at level SOL_SOCKET, the same numbers on every architecture, in a
 * range far from those that asm/socket.h hands out one by one.
 */
#define SO_SETGRP	0x4701	/* set: replace the group; get: its members */
#define SO_ADDGRP	0x4702	/* set: join */
#define SO_DELGRP	0x4703	/* set: leave */
#define SO_GRPSTAT	0x4704	/* get: what became of the datagrams */
#define SO_GRPFLAGS	0x4705	/* set, get: GRP_F_* */

/* SO_GRPFLAGS: send returns how many slots it passed, and not how many bytes */
#define GRP_F_COUNT	(1U << 0)

/*
 * Control messages at level SOL_UDP, for sends to the group. Each can be there
 * once.
 */
#define UDP_GRP_SKIP	0x4711	/* addresses that are left out */
#define UDP_GRP_RANGE	0x4712	/* struct udp_grp_range */
#define UDP_GRP_PRIVATE	0x4713	/* struct udp_grp_private */
#define UDP_GRP_SPREAD	0x4714	/* __u64, nanoseconds */

/* As many members as one group can ever have. */
#define UDP_GROUP_MAX_MEMBERS	65536

/* Bytes in one send, all private prefixes together with what is shared. */
#define UDP_GROUP_MAX_DATA	(64U << 20)

/* Nanoseconds over which a send can be spread: an hour. */
#define UDP_GROUP_MAX_SPREAD	3600000000000ULL

/**
 * struct udp_grp_range - the slots that a send is for
 * @first: first slot
 * @count: how many slots; 0 for all that follow
 */
struct udp_grp_range {
	__u32	first;
	__u32	count;
};

/**
 * struct udp_grp_private - the data begin with what is each member's own
 * @generation: generation of the group that the data were made for
 * @length: bytes of each prefix, one for each slot in the range
 * @reserved: 0
 */
struct udp_grp_private {
	__u64	generation;
	__u32	length;
	__u32	reserved;
};

/**
 * union udp_group_addr - the address of one member
 * @family: AF_INET or AF_INET6, which says which of the others holds
 * @sa: as a generic address
 * @in: as an IPv4 address
 * @in6: as an IPv6 address
 */
union udp_group_addr {
	__u16			family;
	struct sockaddr		sa;
	struct sockaddr_in	in;
	struct sockaddr_in6	in6;
};

/**
 * struct udp_grpstat - what SO_GRPSTAT returns first
 * @size: in: the size of this structure as the caller knows it, which is where
 *	the records begin; out: as much of it as the kernel filled in
 * @member_size: in: the size of struct udp_grpstat_member as the caller knows
 *	it, 0 if no member records are wanted; out: the distance from one
 *	record to the next
 * @first_slot: in: the first slot of which a record is wanted
 * @records: out: how many member records follow
 * @generation: out: raised by every change of the group; never seen twice on
 *	a socket, 0 as long as it has not had a group
 * @members: out: members in the group
 * @slots: out: slots of the group, each a member or a hole
 * @sends: out: send calls that passed at least one slot
 * @sent: out: datagrams that the queueing discipline took
 * @failed: out: datagrams that were not sent because of an error
 * @skipped: out: members that a send was asked to leave out
 * @holes: out: slots passed that had no member
 * @unreached: out: members that a send stopped short of: by a signal, a
 *	timeout, a full send buffer or a buffer that cannot be read
 * @icmp: out: ICMP errors that were attributed to a member
 *
 * The counters belong to the socket: they go on from one group to the next.
 * Those of a send are added, all at once, when it is over.
 */
struct udp_grpstat {
	__u32	size;
	__u32	member_size;
	__u32	first_slot;
	__u32	records;
	__u64	generation;
	__u32	members;
	__u32	slots;
	__u64	sends;
	__u64	sent;
	__u64	failed;
	__u64	skipped;
	__u64	holes;
	__u64	unreached;
	__u64	icmp;
};

/**
 * struct udp_grpstat_member - what SO_GRPSTAT returns of one member
 * @slot: the member's slot, which it keeps for life
 * @error: errno of the last error, from a send or an ICMP message; 0 if none
 * @sent: datagrams that the queueing discipline took
 * @failed: datagrams that were not sent because of an error
 * @skipped: sends that were asked to leave this member out
 * @icmp: ICMP errors that came back for this member
 * @addr: the member's address
 * @reserved: zero
 */
struct udp_grpstat_member {
	__u32			slot;
	__s32			error;
	__u64			sent;
	__u64			failed;
	__u64			skipped;
	__u64			icmp;
	union udp_group_addr	addr;
	__u32			reserved;
};

#endif /* _UAPI_LINUX_UDP_GROUP_H */
