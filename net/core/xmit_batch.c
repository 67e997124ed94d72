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
		/* That another one was dropped says no more than an error of
		 * the datagram's, of which this can be a fragment
		 */
		if (unlikely(rc) &&
		    (rc != NET_XMIT_CN || !*batch->pkts[i].result))
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

/* May packets pass the qdisc by if it is empty, and the device get a list? */
static bool xmit_batch_can_bypass(const struct Qdisc *q,
				  const struct netdev_queue *txq)
{
	return q->flags & TCQ_F_CAN_BYPASS && qdisc_may_bulk(q) &&
	       !netif_xmit_frozen_or_stopped(txq);
}

/* Give the device as much as it may have at once. @from goes on to the first
 * that is left, which has to queue. Returns what sch_direct_xmit() does.
 */
static bool xmit_batch_bypass(struct xmit_batch *batch, unsigned int *from,
			      unsigned int to, spinlock_t *root_lock)
{
	struct netdev_queue *txq = batch->pkts[*from].txq;
	struct sk_buff *list = batch->pkts[*from].skb;
	struct Qdisc *q = batch->pkts[*from].q;
	int room = qdisc_avail_bulklimit(txq);
	struct sk_buff *skb, *last = NULL;
	unsigned int bytes = 0, n = 0;

	do {
		skb = batch->pkts[*from].skb;
		qdisc_calculate_pkt_len(skb, q);
		bytes += qdisc_pkt_len(skb);
		n += skb_is_gso(skb) ? skb_shinfo(skb)->gso_segs : 1;
		if (last)
			last->next = skb;
		last = skb;
		room -= skb->len;
	} while (++*from < to && room > 0);
	_bstats_update(root_lock ? &q->bstats : this_cpu_ptr(q->cpu_bstats),
		       bytes, n);

	return sch_direct_xmit(list, q, txq->dev, txq, root_lock, true);
}

/* As __dev_xmit_skb() does for one packet: see there for why it is looked at
 * twice whether the qdisc is empty.
 */
static void xmit_batch_run_nolock(struct xmit_batch *batch, unsigned int from,
				  unsigned int to, struct sk_buff **to_free)
{
	struct Qdisc *q = batch->pkts[from].q;
	unsigned int n;

	if (xmit_batch_can_bypass(q, batch->pkts[from].txq) &&
	    nolock_qdisc_is_empty(q) && qdisc_run_begin(q)) {
		if (likely(nolock_qdisc_is_empty(q)) &&
		    xmit_batch_bypass(batch, &from, to, NULL) &&
		    !nolock_qdisc_is_empty(q))
			__qdisc_run(q);
		qdisc_run_end(q);
	}

	for (; from < to; from += n) {
		n = xmit_batch_room(q, to - from);
		xmit_batch_enqueue(batch, from, from + n, to_free);
		qdisc_run(q);
	}
}

/* The same with a lock, and with another one for those who wait for it. */
static void xmit_batch_run_locked(struct xmit_batch *batch, unsigned int from,
				  unsigned int to, struct sk_buff **to_free)
{
	struct Qdisc *q = batch->pkts[from].q;
	spinlock_t *root_lock = qdisc_lock(q);
	unsigned int n;
	bool contended;

	/* See __dev_xmit_skb() for why, and why this is a hint */
	contended = data_race(qdisc_is_running(q)) ||
		    IS_ENABLED(CONFIG_PREEMPT_RT);
	if (unlikely(contended))
		spin_lock(&q->busylock);

	spin_lock(root_lock);
	if (likely(!test_bit(__QDISC_STATE_DEACTIVATED, &q->state)) &&
	    xmit_batch_can_bypass(q, batch->pkts[from].txq) &&
	    !qdisc_qlen(q) && qdisc_run_begin(q)) {
		if (xmit_batch_bypass(batch, &from, to, root_lock)) {
			if (unlikely(contended)) {
				spin_unlock(&q->busylock);
				contended = false;
			}
			__qdisc_run(q);
		}
		qdisc_run_end(q);
	}
	for (; from < to; from += n) {
		n = xmit_batch_room(q, to - from);
		if (unlikely(test_bit(__QDISC_STATE_DEACTIVATED, &q->state))) {
			xmit_batch_drop(batch, from, from + n, to_free);
			continue;
		}
		WRITE_ONCE(q->owner, smp_processor_id());
		xmit_batch_enqueue(batch, from, from + n, to_free);
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
}

static void xmit_batch_run(struct xmit_batch *batch, unsigned int from,
			   unsigned int to)
{
	struct sk_buff *to_free = NULL;

	if (batch->pkts[from].q->flags & TCQ_F_NOLOCK)
		xmit_batch_run_nolock(batch, from, to, &to_free);
	else
		xmit_batch_run_locked(batch, from, to, &to_free);
	if (unlikely(to_free))
		kfree_skb_list_reason(to_free, tcf_get_drop_reason(to_free));
}

static void xmit_batch_hand_over(struct xmit_batch *batch)
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
}

bool __xmit_batch_add(struct sk_buff *skb, struct Qdisc *q,
		      struct netdev_queue *txq)
{
	struct xmit_batch *batch = __this_cpu_read(xmit_batch_current);
	unsigned int n;

	if (batch->is_over || skb->sk != batch->sk)
		return false;
	/* Fragments are more than the datagrams, and must not overtake */
	if (unlikely(batch->count == XMIT_BATCH_MAX)) {
		xmit_batch_hand_over(batch);
		batch->count = 0;
		batch->is_over = false;
	}

	n = batch->count++;
	batch->pkts[n].skb = skb;
	batch->pkts[n].q = q;
	batch->pkts[n].txq = txq;
	batch->pkts[n].result = batch->result;
	return true;
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
	xmit_batch_hand_over(batch);
	__this_cpu_write(xmit_batch_current, NULL);
	rcu_read_unlock_bh();
}
EXPORT_SYMBOL_GPL(xmit_batch_end);
