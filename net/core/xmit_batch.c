// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transmit batching: a sender's packets reach their qdisc together.
 */

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/pkt_sched.h>
#include <net/sch_generic.h>
#include <net/xmit_batch.h>
#include "dev.h"

/* On from the first user until the kernel stops: who uses batches does so for
 * unprivileged processes, and they are not to patch kernel text at will.
 */
DEFINE_STATIC_KEY_FALSE(xmit_batch_needed);

void xmit_batch_enable(void)
{
	static_branch_enable(&xmit_batch_needed);
}
EXPORT_SYMBOL_GPL(xmit_batch_enable);

/* The batch of the sender that runs on this CPU. Bottom halves are off as long
 * as there is one; with PREEMPT_RT that is a lock of the CPU's, which keeps
 * other senders away as well.
 */
DEFINE_PER_CPU(struct xmit_batch *, xmit_batch_current);

/**
 * xmit_batch_begin - keep packets back from now on
 * @batch: where to keep them
 * @sk: socket that they belong to
 *
 * In process context. Bottom halves are off until xmit_batch_end().
 */
void xmit_batch_begin(struct xmit_batch *batch, const struct sock *sk)
	__acquires(RCU_BH)
{
	rcu_read_lock_bh();
	batch->sk = sk;
	batch->is_over = false;
	batch->known_ip4.dev = NULL;
	batch->known_ip6.dev = NULL;
	batch->count = 0;
	__this_cpu_write(xmit_batch_current, batch);
}
EXPORT_SYMBOL_GPL(xmit_batch_begin);

bool __xmit_batch_add(struct sk_buff *skb, struct Qdisc *q,
		      struct netdev_queue *txq)
{
	struct xmit_batch *batch = __this_cpu_read(xmit_batch_current);
	unsigned int n;

	if (batch->is_over || skb->sk != batch->sk ||
	    batch->count == XMIT_BATCH_MAX)
		return false;

	n = batch->count++;
	batch->pkts[n].skb = skb;
	batch->pkts[n].q = q;
	batch->pkts[n].txq = txq;
	batch->pkts[n].result = batch->result;
	return true;
}

/* Can a device's answer for a packet be another packet's, too? */
static bool xmit_batch_is_plain(const struct sk_buff *skb)
{
	return !skb_is_gso(skb) && !skb->encapsulation &&
	       !skb_vlan_tag_present(skb) &&
	       !(IS_ENABLED(CONFIG_HIGHMEM) && skb_is_nonlinear(skb));
}

static noinline netdev_features_t
xmit_batch_find_features(struct sk_buff *skb, struct xmit_batch_known *known)
{
	const struct net_device *dev = skb->dev;

	known->features = netif_skb_features(skb);
	known->ip_summed = skb->ip_summed;
	/* Some drivers look further, into the packet */
	known->dev = dev->netdev_ops->ndo_features_check ? NULL : dev;
	return known->features;
}

/* netif_skb_features(), or what it said of a packet before. What that depends
 * on is compared.
 */
netdev_features_t __xmit_batch_features(struct sk_buff *skb)
{
	struct xmit_batch *batch = __this_cpu_read(xmit_batch_current);
	struct xmit_batch_known *known;

	if (skb->sk != batch->sk || !xmit_batch_is_plain(skb))
		return netif_skb_features(skb);
	if (likely(skb->protocol == htons(ETH_P_IP)))
		known = &batch->known_ip4;
	else if (skb->protocol == htons(ETH_P_IPV6))
		known = &batch->known_ip6;
	else
		return netif_skb_features(skb);
	if (known->dev == skb->dev && known->ip_summed == skb->ip_summed)
		return known->features;
	return xmit_batch_find_features(skb, known);
}

static void xmit_batch_enqueue(struct xmit_batch *batch, unsigned int from,
			       unsigned int to, struct sk_buff **to_free)
{
	unsigned int i;

	for (i = from; i < to; i++) {
		struct sk_buff *skb = batch->pkts[i].skb;
		struct Qdisc *q = batch->pkts[i].q;
		int rc;

		qdisc_calculate_pkt_len(skb, q);
		tcf_set_drop_reason(skb, SKB_DROP_REASON_QDISC_DROP);
		rc = dev_qdisc_enqueue(skb, q, to_free, batch->pkts[i].txq);
		if (unlikely(rc))
			*batch->pkts[i].result = rc;
	}
}

static void xmit_batch_drop(struct xmit_batch *batch, unsigned int from,
			    unsigned int to, struct sk_buff **to_free)
{
	unsigned int i;

	for (i = from; i < to; i++) {
		struct sk_buff *skb = batch->pkts[i].skb;

		tcf_set_drop_reason(skb, SKB_DROP_REASON_QDISC_DROP);
		__qdisc_drop(skb, to_free);
		*batch->pkts[i].result = NET_XMIT_DROP;
	}
}

/* How many of @n packets a qdisc takes before it has to run: packets that come
 * one by one find room in a short queue, if the device keeps up, and those of a
 * batch are to find it too.
 */
static unsigned int xmit_batch_room(const struct Qdisc *q, unsigned int n)
{
	unsigned int limit = READ_ONCE(q->limit), qlen = 0;

	if (q->flags & TCQ_F_NOLOCK)
		limit = READ_ONCE(qdisc_dev(q)->tx_queue_len);
	else
		qlen = qdisc_qlen(q);
	if (!limit)
		return n;
	return qlen < limit ? min(n, limit - qlen) : 1;
}

/* As __dev_xmit_skb() does for one packet that cannot bypass the qdisc. */
static void xmit_batch_run(struct xmit_batch *batch, unsigned int from,
			   unsigned int to)
{
	struct Qdisc *q = batch->pkts[from].q;
	spinlock_t *root_lock = qdisc_lock(q);
	struct sk_buff *to_free = NULL;
	unsigned int n;
	bool contended;

	if (q->flags & TCQ_F_NOLOCK) {
		for (; from < to; from += n) {
			n = xmit_batch_room(q, to - from);
			xmit_batch_enqueue(batch, from, from + n, &to_free);
			qdisc_run(q);
		}
		goto free;
	}

	/* See there for why the queue of those who wait is another lock */
	contended = qdisc_is_running(q) || IS_ENABLED(CONFIG_PREEMPT_RT);
	if (unlikely(contended))
		spin_lock(&q->busylock);

	spin_lock(root_lock);
	for (; from < to; from += n) {
		n = xmit_batch_room(q, to - from);
		if (unlikely(test_bit(__QDISC_STATE_DEACTIVATED, &q->state))) {
			xmit_batch_drop(batch, from, from + n, &to_free);
			continue;
		}
		WRITE_ONCE(q->owner, smp_processor_id());
		xmit_batch_enqueue(batch, from, from + n, &to_free);
		WRITE_ONCE(q->owner, -1);
		if (qdisc_run_begin(q)) {
			if (unlikely(contended)) {
				spin_unlock(&q->busylock);
				contended = false;
			}
			__qdisc_run(q);
			qdisc_run_end(q);
		}
	}
	spin_unlock(root_lock);
	if (unlikely(contended))
		spin_unlock(&q->busylock);
free:
	if (unlikely(to_free))
		kfree_skb_list_reason(to_free, tcf_get_drop_reason(to_free));
}

/**
 * xmit_batch_end - hand over what was kept
 * @batch: the batch
 *
 * What a qdisc did not take has its NET_XMIT_* code in its result, and is
 * freed. The result of what was taken is not written.
 */
void xmit_batch_end(struct xmit_batch *batch)
	__releases(RCU_BH)
{
	unsigned int from, to;

	/* A classifier or a device may send: that is not to be kept */
	batch->is_over = true;

	for (from = 0; from < batch->count; from = to) {
		for (to = from + 1; to < batch->count; to++)
			if (batch->pkts[to].q != batch->pkts[from].q)
				break;
		xmit_batch_run(batch, from, to);
	}
	__this_cpu_write(xmit_batch_current, NULL);
	rcu_read_unlock_bh();
}
EXPORT_SYMBOL_GPL(xmit_batch_end);
