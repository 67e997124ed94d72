// SPDX-License-Identifier: GPL-2.0-only
/*
 * What would sendmmsg() cost with transmit batching around it? A module for
 * measurements: it sends with bottom halves off, which sendmmsg() could not do,
 * because a send may sleep. It is right only where nothing makes it sleep: with
 * room in the send buffer, memory, no LSM, and data that are mapped.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <net/xmit_batch.h>
#include "sendmmsg_batch.h"

/* What ___sys_sendmsg() does for a message with one address and one buffer. */
static int sendmmsg_batch_one(struct socket *sock, struct mmsghdr __user *user)
{
	struct iovec stack[1], *iov = stack;
	struct sockaddr_storage addr;
	struct user_msghdr header;
	struct msghdr msg = {};
	int err;

	if (copy_from_user(&header, &user->msg_hdr, sizeof(header)))
		return -EFAULT;
	if (header.msg_namelen > sizeof(addr) || header.msg_control)
		return -EINVAL;
	if (copy_from_user(&addr, header.msg_name, header.msg_namelen))
		return -EFAULT;
	err = import_iovec(ITER_SOURCE, header.msg_iov, header.msg_iovlen,
			   ARRAY_SIZE(stack), &iov, &msg.msg_iter);
	if (err < 0)
		return err;

	msg.msg_name = &addr;
	msg.msg_namelen = header.msg_namelen;
	msg.msg_flags = MSG_DONTWAIT;
	err = sock_sendmsg(sock, &msg);
	kfree(iov);
	if (err >= 0 && put_user(err, &user->msg_len))
		return -EFAULT;
	return err;
}

static long sendmmsg_batch_ioctl(struct file *file, unsigned int cmd,
				 unsigned long arg)
{
	struct mmsghdr __user *msgs;
	struct sendmmsg_batch call;
	struct xmit_batch *batch;
	struct socket *sock;
	u32 i = 0;
	int ignored, err = 0;

	if (cmd != SENDMMSG_BATCH)
		return -ENOTTY;
	if (copy_from_user(&call, (void __user *)arg, sizeof(call)))
		return -EFAULT;
	msgs = u64_to_user_ptr(call.msgs);

	sock = sockfd_lookup(call.fd, &err);
	if (!sock)
		return err;
	batch = kmalloc(sizeof(*batch), GFP_KERNEL);
	if (!batch) {
		err = -ENOMEM;
		goto put_sock;
	}
	sock->sk->sk_allocation = GFP_ATOMIC;

	while (i < call.count && err >= 0) {
		u32 end = min(call.count, i + XMIT_BATCH_MAX);

		xmit_batch_begin(batch, sock->sk);
		batch->result = &ignored;
		while (i < end) {
			err = sendmmsg_batch_one(sock, &msgs[i]);
			if (err < 0)
				break;
			i++;
		}
		xmit_batch_end(batch);
		cond_resched();
	}

	kfree(batch);
put_sock:
	sockfd_put(sock);
	return i ?: err;
}

/* Not at init: the ordinary ways are measured with the key off, too. */
static int sendmmsg_batch_open(struct inode *inode, struct file *file)
{
	xmit_batch_enable();
	return 0;
}

static const struct file_operations sendmmsg_batch_fops = {
	.owner		= THIS_MODULE,
	.open		= sendmmsg_batch_open,
	.unlocked_ioctl	= sendmmsg_batch_ioctl,
};

static struct miscdevice sendmmsg_batch_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "sendmmsg_batch",
	.fops	= &sendmmsg_batch_fops,
};

module_misc_device(sendmmsg_batch_device);

MODULE_DESCRIPTION("sendmmsg() with transmit batching, for measurements");
MODULE_LICENSE("GPL");
