/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Group unicast for UDP: the data of a send, copied from user space once.
 */
#ifndef _UDP_GROUP_PAYLOAD_H
#define _UDP_GROUP_PAYLOAD_H

#include <linux/skbuff.h>
#include <linux/string.h>
#include <linux/uio.h>

struct sock;

/* Data that are longer are never copied: no small head has room for them. What
 * is copied is copied in steps: behind it there must be room for the rest of
 * one.
 */
#define UDP_GROUP_COPY_STEP	64
#define UDP_GROUP_COPY_MAX	(5 * UDP_GROUP_COPY_STEP)

/**
 * struct udp_group_payload - what goes into all datagrams of a send
 * @len: length of the data
 * @is_summed: @csum is there
 * @csum: sum of the data
 * @nr_frags: number of @frags, 0 if the data are copied
 * @copied: length of the data if they are copied, else 0
 * @data: the data, if each datagram has a copy
 * @frags: the data, in pages that datagrams share
 */
struct udp_group_payload {
	size_t				len;
	bool				is_summed;
	__wsum				csum;
	unsigned int			nr_frags;
	unsigned int			copied;
	char				data[UDP_GROUP_COPY_MAX +
					     UDP_GROUP_COPY_STEP] __aligned(8);
	skb_frag_t			frags[MAX_SKB_FRAGS];
};

/* udp_group_payload.c */
int udp_group_payload_copy_pages(struct udp_group_payload *p, struct sock *sk,
				 struct iov_iter *from);
void udp_group_payload_free(struct udp_group_payload *p);
__wsum udp_group_payload_csum(struct udp_group_payload *p);
void udp_group_payload_hold(struct udp_group_payload *p, unsigned int n);
void udp_group_payload_unhold(struct udp_group_payload *p, unsigned int n);
void udp_group_payload_share(const struct udp_group_payload *p,
			     struct sk_buff *skb);

/**
 * udp_group_payload_init - copy a message's data
 * @p: where to
 * @sk: socket that they are sent on
 * @from: the data
 * @len: their length
 * @room: how much of it a datagram has room for
 *
 * Return: 0, -EFAULT or -ENOBUFS. udp_group_payload_free() in any case.
 */
static inline int
udp_group_payload_init(struct udp_group_payload *p, struct sock *sk,
		       struct iov_iter *from, size_t len, size_t room)
{
	p->len = len;
	p->nr_frags = 0;
	p->is_summed = false;

	p->copied = 0;
	if (len > min_t(size_t, room, UDP_GROUP_COPY_MAX))
		return udp_group_payload_copy_pages(p, sk, from);

	p->copied = len;
	/* What is behind the data in the last step gets into the room behind
	 * a datagram. A device that pads short frames with that is not to send
	 * what was here before.
	 */
	memset(p->data + round_down(len, UDP_GROUP_COPY_STEP), 0,
	       UDP_GROUP_COPY_STEP);
	return copy_from_iter(p->data, len, from) == len ? 0 : -EFAULT;
}

#endif /* _UDP_GROUP_PAYLOAD_H */
