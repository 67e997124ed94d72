/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Transmit batching: a sender's packets reach their qdisc together.
 *
 * Whoever sends many packets in one go begins a batch, sends each as ever, and
 * ends the batch. What __dev_queue_xmit() would hand to a qdisc in between is
 * kept back and handed over at the end: for each run of packets that are for
 * the same qdisc its lock is taken once, all are enqueued, and it runs once. It
 * then gives the driver lists, as far as BQL allows, and the driver rings its
 * doorbell once a list. A qdisc that a single packet may pass by if it is empty
 * is passed by with the first list.
 *
 * What a device can do with a packet is also found out only once for packets of
 * a batch that are alike.
 *
 * Nothing else changes. Each packet has passed everything that comes before the
 * qdisc, and the qdisc sees each one, in order. A device without a queue
 * transmits at once; if it is stacked on another, that one's qdisc collects.
 */
#ifndef _NET_XMIT_BATCH_H
#define _NET_XMIT_BATCH_H

#include <linux/jump_label.h>
#include <linux/netdevice.h>

struct Qdisc;
struct sock;

#define XMIT_BATCH_MAX	64

/**
 * struct xmit_batch_known - what a device can do with packets that are alike
 * @dev: the device, or NULL if this is not known
 * @ip_summed: what they ask for
 * @features: what the device can do with them
 */
struct xmit_batch_known {
	const struct net_device	*dev;
	u8			ip_summed;
	netdev_features_t	features;
};

/**
 * struct xmit_batch - packets on their way to a qdisc
 * @sk: only packets of this socket are kept: not what somebody else sends
 *	from within, an ARP request for instance, nor copies
 * @result: where the verdict on the packet that is sent next goes, which can be
 *	before it is sent as a whole: if there are more fragments than fit
 * @is_over: no more packets are kept
 * @known_ip4: what was found out for the last packet of IPv4
 * @known_ip6: the same for IPv6, since they may take turns
 * @count: packets that are kept
 * @pkts: the packets, each with its qdisc, queue and result
 *
 * Lives in one section with bottom halves off, from xmit_batch_begin() to
 * xmit_batch_end(): this keeps the qdiscs and devices alive, and other senders
 * on this CPU away.
 */
struct xmit_batch {
	const struct sock	*sk;
	int			*result;
	bool			is_over;
	struct xmit_batch_known	known_ip4;
	struct xmit_batch_known	known_ip6;
	unsigned int		count;
	struct {
		struct sk_buff		*skb;
		struct Qdisc		*q;
		struct netdev_queue	*txq;
		int			*result;
	} pkts[XMIT_BATCH_MAX];
};

void xmit_batch_enable(void);
void xmit_batch_begin(struct xmit_batch *batch, const struct sock *sk);
void xmit_batch_end(struct xmit_batch *batch);

#ifdef CONFIG_XMIT_BATCH

DECLARE_STATIC_KEY_FALSE(xmit_batch_needed);
DECLARE_PER_CPU(struct xmit_batch *, xmit_batch_current);
bool __xmit_batch_add(struct sk_buff *skb, struct Qdisc *q,
		      struct netdev_queue *txq);
netdev_features_t __xmit_batch_features(struct sk_buff *skb);

/* Is a batch being sent on this CPU? Then bottom halves are off. They need not
 * be for whoever asks: packets for __dev_direct_xmit() are validated before.
 */
static inline bool xmit_batch_is_on(void)
{
	return static_branch_unlikely(&xmit_batch_needed) && softirq_count() &&
	       unlikely(__this_cpu_read(xmit_batch_current));
}

/* True if the packet is kept for the end of the batch. */
static inline bool xmit_batch_add(struct sk_buff *skb, struct Qdisc *q,
				  struct netdev_queue *txq)
{
	return xmit_batch_is_on() && __xmit_batch_add(skb, q, txq);
}

static inline netdev_features_t xmit_batch_features(struct sk_buff *skb)
{
	if (xmit_batch_is_on())
		return __xmit_batch_features(skb);
	return netif_skb_features(skb);
}

#else

static inline bool xmit_batch_add(struct sk_buff *skb, struct Qdisc *q,
				  struct netdev_queue *txq)
{
	return false;
}

static inline netdev_features_t xmit_batch_features(struct sk_buff *skb)
{
	return netif_skb_features(skb);
}

#endif /* CONFIG_XMIT_BATCH */

#endif /* _NET_XMIT_BATCH_H */
