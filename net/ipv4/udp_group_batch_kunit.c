// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: KUnit tests of what the fast path relies on in
 * net/core: batches on their way to a device, and sk_buffs in bulk.
 */

#include <kunit/test.h>
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include <net/pkt_sched.h>
#include <net/sch_generic.h>
#include <net/sock.h>
#include <net/xmit_batch.h>

#define PACKETS		40
#define LENGTH		100
#define LIST		10	/* packets that BQL lets pass at once */
#define QUEUE		5	/* packets that a short queue has room for */

/**
 * struct batch_dev - a device that writes down what it gets
 * @mark: marks of the packets, in the order that they came
 * @is_more: was the device told of each that more would come?
 * @n: how many
 * @takes: the queue is stopped after so many
 */
struct batch_dev {
	u32		mark[2 * PACKETS];
	bool		is_more[2 * PACKETS];
	unsigned int	n;
	unsigned int	takes;
};

/**
 * struct batch_ctx - a sender and its device
 * @sock: the packets are this socket's
 * @dev: they leave by this device
 * @batch: a batch
 * @result: what became of its packets
 */
struct batch_ctx {
	struct socket		*sock;
	struct net_device	*dev;
	struct xmit_batch	batch;
	int			result[PACKETS];
};

static netdev_tx_t batch_dev_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct batch_dev *bd = netdev_priv(dev);

	/* Those without a mark are not ours */
	if (skb->mark && bd->n < ARRAY_SIZE(bd->mark)) {
		bd->mark[bd->n] = skb->mark;
		bd->is_more[bd->n] = netdev_xmit_more();
		/* Pairs with smp_load_acquire() in batch_wait() */
		smp_store_release(&bd->n, bd->n + 1);
		if (bd->n == bd->takes)
			netif_stop_queue(dev);
	}
	consume_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops batch_dev_ops = {
	.ndo_start_xmit = batch_dev_xmit,
};

static void batch_dev_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &batch_dev_ops;
	dev->type = ARPHRD_VOID;
	dev->flags = IFF_NOARP;
}

/* One without a lock, and one with it */
static const struct Qdisc_ops *const batch_qdiscs[] = {
	&pfifo_fast_ops,
#if IS_ENABLED(CONFIG_NET_SCH_FIFO)
	&pfifo_qdisc_ops,
#endif
};

static void batch_qdisc_desc(const struct Qdisc_ops *const *ops, char *desc)
{
	strscpy(desc, (*ops)->id, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(batch_qdisc, batch_qdiscs, batch_qdisc_desc);

static const struct Qdisc_ops *batch_qdisc_of(const struct kunit *test)
{
	return *(const struct Qdisc_ops *const *)test->param_value;
}

static void batch_set_qdisc(struct kunit *test)
{
	struct batch_ctx *ctx = test->priv;
	struct netdev_queue *txq;
	struct Qdisc *q;

	txq = netdev_get_tx_queue(ctx->dev, 0);
	q = qdisc_create_dflt(txq, batch_qdisc_of(test), TC_H_ROOT, NULL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	q->flags |= TCQ_F_ONETXQUEUE | TCQ_F_NOPARENT;
	dev_graft_qdisc(txq, q);
	rcu_assign_pointer(ctx->dev->qdisc, q);
	qdisc_refcount_inc(q);
#ifdef CONFIG_BQL
	/* The driver does not say what it has done: it stays like this */
	txq->dql.adj_limit = LIST * LENGTH;
#endif
}

/* The device, with a qdisc and a queue of that length. */
static void batch_open(struct kunit *test, unsigned int queue)
{
	struct batch_ctx *ctx = test->priv;
	int err;

	ctx->dev->tx_queue_len = queue;
	rtnl_lock();
	batch_set_qdisc(test);
	err = dev_open(ctx->dev, NULL);
	rtnl_unlock();
	KUNIT_ASSERT_EQ(test, 0, err);
}

static int batch_init(struct kunit *test)
{
	struct batch_ctx *ctx;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	test->priv = ctx;
	KUNIT_ASSERT_EQ(test, 0,
			sock_create_kern(&init_net, AF_INET, SOCK_DGRAM,
					 IPPROTO_UDP, &ctx->sock));
	ctx->dev = alloc_netdev(sizeof(struct batch_dev), "batch%d",
				NET_NAME_UNKNOWN, batch_dev_setup);
	KUNIT_ASSERT_NOT_NULL(test, ctx->dev);
	KUNIT_ASSERT_EQ(test, 0, register_netdev(ctx->dev));
	xmit_batch_enable();
	return 0;
}

static void batch_exit(struct kunit *test)
{
	struct batch_ctx *ctx = test->priv;

	if (!ctx)
		return;
	if (ctx->dev && ctx->dev->reg_state == NETREG_REGISTERED)
		unregister_netdev(ctx->dev);
	if (ctx->dev)
		free_netdev(ctx->dev);
	if (ctx->sock)
		sock_release(ctx->sock);
}

static struct sk_buff *batch_packet(struct batch_ctx *ctx, u32 mark)
{
	struct sk_buff *skb = alloc_skb(LENGTH, GFP_ATOMIC);

	if (!skb)
		return NULL;
	skb_put_zero(skb, LENGTH);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb->protocol = htons(ETH_P_IP);
	skb->dev = ctx->dev;
	skb->mark = mark;
	skb_set_owner_w(skb, ctx->sock->sk);
	return skb;
}

/* A batch of packets with the marks from @mark on. */
static void batch_send(struct kunit *test, u32 mark)
{
	struct batch_ctx *ctx = test->priv;
	struct sk_buff *skb[PACKETS];
	int i;

	for (i = 0; i < PACKETS; i++) {
		skb[i] = batch_packet(ctx, mark + i);
		KUNIT_EXPECT_NOT_NULL(test, skb[i]);
		ctx->result[i] = 0;
	}
	xmit_batch_begin(&ctx->batch, ctx->sock->sk);
	for (i = 0; i < PACKETS; i++) {
		ctx->batch.result = &ctx->result[i];
		if (skb[i])
			dev_queue_xmit(skb[i]);
	}
	xmit_batch_end(&ctx->batch);
}

/* Wait for so many packets, which have to come in order. */
static void batch_wait(struct kunit *test, unsigned int n)
{
	struct batch_ctx *ctx = test->priv;
	struct batch_dev *bd = netdev_priv(ctx->dev);
	unsigned long end = jiffies + 20 * HZ;
	unsigned int i;

	/* Pairs with smp_store_release() in batch_dev_xmit() */
	while (smp_load_acquire(&bd->n) < n && time_before(jiffies, end))
		usleep_range(1000, 2000);
	KUNIT_ASSERT_EQ(test, n, bd->n);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, i + 1, bd->mark[i]);
}

static void batch_expect_results(struct kunit *test)
{
	struct batch_ctx *ctx = test->priv;
	int i;

	for (i = 0; i < PACKETS; i++)
		KUNIT_EXPECT_EQ(test, NET_XMIT_SUCCESS, ctx->result[i]);
}

static void batch_expect_stats(struct kunit *test, unsigned int n)
{
	struct batch_ctx *ctx = test->priv;
	struct gnet_stats_basic_sync sum;
	struct Qdisc *q;

	gnet_stats_basic_sync_init(&sum);
	rtnl_lock();
	q = rtnl_dereference(ctx->dev->qdisc);
	gnet_stats_add_basic(&sum, q->cpu_bstats, &q->bstats, false);
	rtnl_unlock();
	KUNIT_EXPECT_EQ(test, n, u64_stats_read(&sum.packets));
	KUNIT_EXPECT_EQ(test, n * LENGTH, u64_stats_read(&sum.bytes));
}

/* The first list passes an empty qdisc by: it is longer than its queue. */
static void batch_passes_an_empty_qdisc_by(struct kunit *test)
{
	struct batch_ctx *ctx = test->priv;
	struct batch_dev *bd = netdev_priv(ctx->dev);
	unsigned int i, list = 1, queue = 1;

	if (IS_ENABLED(CONFIG_BQL)) {
		list = LIST;
		queue = QUEUE;
	}
	batch_open(test, QUEUE);
	batch_send(test, 1);
	batch_wait(test, PACKETS);
	batch_expect_results(test);
	batch_expect_stats(test, PACKETS);
	for (i = 0; i < list; i++)
		KUNIT_EXPECT_EQ(test, i != list - 1, bd->is_more[i]);
	for (; i < PACKETS; i++)
		KUNIT_EXPECT_EQ(test, (i - list) % queue != queue - 1,
				bd->is_more[i]);
}

/* A device that stops in the middle of a list gets the rest, in order. */
static void batch_goes_on_when_the_device_does(struct kunit *test)
{
	struct batch_ctx *ctx = test->priv;
	struct batch_dev *bd = netdev_priv(ctx->dev);

	batch_open(test, 1000);
	bd->takes = 4;
	batch_send(test, 1);
	batch_expect_results(test);
	KUNIT_EXPECT_EQ(test, 4, bd->n);
	netif_wake_queue(ctx->dev);
	batch_wait(test, PACKETS);
	batch_expect_stats(test, PACKETS);
}

/* Nothing passes those by that wait. */
static void batch_does_not_overtake(struct kunit *test)
{
	struct batch_ctx *ctx = test->priv;

	batch_open(test, 1000);
	netif_stop_queue(ctx->dev);
	batch_send(test, 1);
	netif_start_queue(ctx->dev);	/* the qdisc does not know it yet */
	batch_send(test, 1 + PACKETS);
	batch_wait(test, 2 * PACKETS);
	batch_expect_results(test);
	batch_expect_stats(test, 2 * PACKETS);
}

/* Fragments are more than the datagrams of a batch. */
static void batch_stays_in_order_if_there_are_more(struct kunit *test)
{
	struct batch_ctx *ctx = test->priv;
	int i;

	BUILD_BUG_ON(2 * PACKETS <= XMIT_BATCH_MAX);
	batch_open(test, 1000);
	xmit_batch_begin(&ctx->batch, ctx->sock->sk);
	for (i = 0; i < 2 * PACKETS; i++) {
		struct sk_buff *skb = batch_packet(ctx, 1 + i);

		ctx->batch.result = &ctx->result[i / 2];
		if (skb)
			dev_queue_xmit(skb);
	}
	xmit_batch_end(&ctx->batch);
	batch_wait(test, 2 * PACKETS);
	batch_expect_results(test);
	batch_expect_stats(test, 2 * PACKETS);
}

/* What a queue has no room for says so, packet by packet. */
static void batch_has_verdicts(struct kunit *test)
{
	struct batch_ctx *ctx = test->priv;
	int i;

	batch_open(test, QUEUE);
	netif_stop_queue(ctx->dev);
	batch_send(test, 1);
	for (i = 0; i < PACKETS; i++)
		KUNIT_EXPECT_EQ(test,
				i < QUEUE ? NET_XMIT_SUCCESS : NET_XMIT_DROP,
				ctx->result[i]);
	netif_wake_queue(ctx->dev);
	batch_wait(test, QUEUE);
}

/* NAPI's cache first, then slabs; each one new. */
static void bulk_takes_what_napi_left(struct kunit *test)
{
	struct sk_buff *old[3], *skb[40];
	unsigned int i, j, n, found = 0;

	for (i = 0; i < ARRAY_SIZE(old); i++) {
		old[i] = alloc_skb(LENGTH, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, old[i]);
		old[i]->mark = 42;
	}
	local_bh_disable();
	for (i = 0; i < ARRAY_SIZE(old); i++)
		napi_consume_skb(old[i], 1);
	n = alloc_skb_bulk(GFP_ATOMIC, ARRAY_SIZE(skb), skb);
	local_bh_enable();

	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(skb), n);
	for (i = 0; i < n; i++) {
		for (j = 0; j < ARRAY_SIZE(old); j++)
			found += skb[i] == old[j];
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_PTR_NE(test, skb[i], skb[j]);
		KUNIT_EXPECT_EQ(test, 0, skb[i]->mark);
		KUNIT_EXPECT_EQ(test, 1, refcount_read(&skb[i]->users));
		KUNIT_EXPECT_GE(test, skb_tailroom(skb[i]), LENGTH);
		skb_put_zero(skb[i], skb_tailroom(skb[i]));
	}
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(old), found);
	while (n)
		kfree_skb(skb[--n]);
}

static struct kunit_case udp_group_batch_cases[] = {
	KUNIT_CASE_PARAM(batch_passes_an_empty_qdisc_by,
			 batch_qdisc_gen_params),
	KUNIT_CASE_PARAM(batch_goes_on_when_the_device_does,
			 batch_qdisc_gen_params),
	KUNIT_CASE_PARAM(batch_does_not_overtake, batch_qdisc_gen_params),
	KUNIT_CASE_PARAM(batch_stays_in_order_if_there_are_more,
			 batch_qdisc_gen_params),
	KUNIT_CASE_PARAM(batch_has_verdicts, batch_qdisc_gen_params),
	KUNIT_CASE(bulk_takes_what_napi_left),
	{}
};

static struct kunit_suite udp_group_batch_suite = {
	.name		= "udp_group_batch",
	.init		= batch_init,
	.exit		= batch_exit,
	.test_cases	= udp_group_batch_cases,
};

kunit_test_suites(&udp_group_batch_suite);
