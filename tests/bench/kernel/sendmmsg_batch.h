/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/* /dev/sendmmsg_batch, which is for measurements only. */
#ifndef SENDMMSG_BATCH_H
#define SENDMMSG_BATCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct sendmmsg_batch - sendmmsg() of messages to IPv4 addresses
 * @msgs: address of an array of struct mmsghdr
 * @count: how many messages
 * @fd: socket
 */
struct sendmmsg_batch {
	__u64	msgs;
	__u32	count;
	__s32	fd;
};

/* Returns how many messages were sent, or an error if it was none. */
#define SENDMMSG_BATCH	_IOW('G', 0x47, struct sendmmsg_batch)

#endif
