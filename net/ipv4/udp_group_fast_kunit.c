// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: KUnit tests that hold the fast path against what
 * sendto() sends.
 */

#include <kunit/test.h>
#include <linux/net.h>
#include <linux/rtnetlink.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/udp.h>
#include "udp_group_path.h"

#define MEMBERS		3
#define MAX_DATA	40000

/**
 * struct fast_ctx - a sender, receivers, and what passes between them
 * @family: family of the sender
 * @tx: the sender
 * @rx: keep the members' ports open
 * @addr: members: ports at addresses of the loopback network
 * @data: something to send
 * @tap: sees packets as they arrive
 * @seen: copies of those for the members
 */
struct fast_ctx {
	sa_family_t		family;
	struct socket		*tx;
	struct socket		*rx[MEMBERS];
	union udp_group_addr	addr[MEMBERS];
	char			*data;
	struct packet_type	tap[2];
	struct sk_buff_head	seen;
};

static unsigned int fast_headers_len(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IP) ? sizeof(struct iphdr) :
						  sizeof(struct ipv6hdr);
}

static bool fast_is_udp(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IP) ?
	       ip_hdr(skb)->protocol == IPPROTO_UDP :
	       ipv6_hdr(skb)->nexthdr == IPPROTO_UDP;
}

static int fast_tap(struct sk_buff *skb, struct net_device *dev,
		    struct packet_type *pt, struct net_device *orig)
{
	struct fast_ctx *ctx = pt->af_packet_priv;
	const struct udphdr *uh;
	struct sk_buff *copy;
	int i;

	uh = (void *)skb_network_header(skb) + fast_headers_len(skb);
	for (i = 0; fast_is_udp(skb) && i < MEMBERS; i++) {
		if (uh->dest != ctx->addr[i].in.sin_port)
			continue;
		copy = skb_copy(skb, GFP_ATOMIC);
		if (copy)
			skb_queue_tail(&ctx->seen, copy);
		break;
	}
	consume_skb(skb);
	return 0;
}

/* IPv4 members of an AF_INET socket, IPv6 members of an AF_INET6 socket, or a
 * socket of that kind with members of both, one of them a mapped address.
 */
enum fast_kind { FAST_IP4, FAST_IP6, FAST_MIXED };

static void fast_init_addr(union udp_group_addr *addr, enum fast_kind kind,
			   int i)
{
	memset(addr, 0, sizeof(*addr));
	if (kind == FAST_IP4 || (kind == FAST_MIXED && i == 0)) {
		addr->in.sin_family = AF_INET;
		addr->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
		return;
	}
	addr->in6.sin6_family = AF_INET6;
	addr->in6.sin6_addr = in6addr_loopback;
	if (kind == FAST_MIXED && i == 1)
		ipv6_addr_set_v4mapped(htonl(INADDR_LOOPBACK + i),
				       &addr->in6.sin6_addr);
}

static void fast_init_member(struct kunit *test, enum fast_kind kind, int i)
{
	struct fast_ctx *ctx = test->priv;
	union udp_group_addr *addr = &ctx->addr[i];
	unsigned int len;

	fast_init_addr(addr, kind, i);
	len = udp_group_addr_len(addr);
	KUNIT_ASSERT_EQ(test, 0,
			sock_create_kern(&init_net, addr->family, SOCK_DGRAM,
					 IPPROTO_UDP, &ctx->rx[i]));
	KUNIT_ASSERT_EQ(test, 0, kernel_bind(ctx->rx[i], &addr->sa, len));
	KUNIT_ASSERT_EQ(test, len, kernel_getsockname(ctx->rx[i], &addr->sa));
}

static void fast_set_group(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;
	char packed[sizeof(ctx->addr)];
	unsigned int i, len = 0;

	for (i = 0; i < MEMBERS; i++) {
		memcpy(packed + len, &ctx->addr[i],
		       udp_group_addr_len(&ctx->addr[i]));
		len += udp_group_addr_len(&ctx->addr[i]);
	}
	KUNIT_ASSERT_EQ(test, 0, sock_setsockopt(ctx->tx, SOL_SOCKET, SO_SETGRP,
						 KERNEL_SOCKPTR(packed), len));
}

static void fast_tap_add(struct fast_ctx *ctx, int i, int type)
{
	ctx->tap[i].type = htons(type);
	ctx->tap[i].dev = init_net.loopback_dev;
	ctx->tap[i].func = fast_tap;
	ctx->tap[i].af_packet_priv = ctx;
	dev_add_pack(&ctx->tap[i]);
}

static int fast_init_kind(struct kunit *test, enum fast_kind kind)
{
	struct fast_ctx *ctx;
	int i;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	ctx->data = kunit_kzalloc(test, MAX_DATA, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx->data);
	for (i = 0; i < MAX_DATA; i++)
		ctx->data[i] = i % 251;
	skb_queue_head_init(&ctx->seen);
	ctx->family = kind == FAST_IP4 ? AF_INET : AF_INET6;

	rtnl_lock();
	dev_change_flags(init_net.loopback_dev,
			 init_net.loopback_dev->flags | IFF_UP, NULL);
	rtnl_unlock();

	test->priv = ctx;
	KUNIT_ASSERT_EQ(test, 0,
			sock_create_kern(&init_net, ctx->family, SOCK_DGRAM,
					 IPPROTO_UDP, &ctx->tx));
	for (i = 0; i < MEMBERS; i++)
		fast_init_member(test, kind, i);
	fast_set_group(test);
	fast_tap_add(ctx, 0, ETH_P_IP);
	fast_tap_add(ctx, 1, ETH_P_IPV6);
	return 0;
}

static int fast_init(struct kunit *test)
{
	return fast_init_kind(test, FAST_IP4);
}

static void fast_exit(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;
	int i;

	if (!ctx)
		return;
	for (i = 0; i < ARRAY_SIZE(ctx->tap); i++)
		if (ctx->tap[i].func)
			dev_remove_pack(&ctx->tap[i]);
	skb_queue_purge(&ctx->seen);
	for (i = 0; i < MEMBERS; i++)
		if (ctx->rx[i])
			sock_release(ctx->rx[i]);
	if (ctx->tx)
		sock_release(ctx->tx);
}

static int fast_send(struct fast_ctx *ctx, size_t len,
		     const union udp_group_addr *dest)
{
	struct kvec vec = { .iov_base = ctx->data, .iov_len = len };
	struct msghdr msg = {
		.msg_name	= (void *)dest,
		.msg_namelen	= dest ? udp_group_addr_len(dest) : 0,
	};

	return kernel_sendmsg(ctx->tx, &msg, &vec, 1, len);
}

/* The loopback device hands packets to softirqs, which may be ksoftirqd's. */
static struct sk_buff *fast_next(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;
	unsigned long end = jiffies + 20 * HZ;
	struct sk_buff *skb;

	do {
		skb = skb_dequeue(&ctx->seen);
		if (skb)
			return skb;
		usleep_range(1000, 2000);
	} while (time_before(jiffies, end));
	return NULL;
}

static bool fast_path_was_taken(struct fast_ctx *ctx, int sends)
{
	struct udp_group_sock *gs = udp_group_of_sock(ctx->tx->sk);
	struct udp_group_version *v;
	struct udp_group_path *path;
	bool has_route;

	rcu_read_lock();
	v = rcu_dereference(gs->version);
	path = rcu_dereference(udp_group_member_at(v, MEMBERS - 1)->path);
	has_route = path && path->dst;
	rcu_read_unlock();
	return has_route && atomic_read(&gs->ident) == sends;
}

/* Identifiers are counters, but for where there is none. */
static void expect_same_ident(struct kunit *test, struct iphdr *a,
			      struct iphdr *b)
{
	KUNIT_EXPECT_EQ(test, ip_fast_csum(a, a->ihl), 0);
	KUNIT_EXPECT_EQ(test, ip_fast_csum(b, b->ihl), 0);
	KUNIT_EXPECT_EQ(test, !a->id, !b->id);
	a->id = 0;
	b->id = 0;
	a->check = 0;
	b->check = 0;
}

static void expect_same(struct kunit *test, struct sk_buff *one,
			struct sk_buff *group)
{
	KUNIT_ASSERT_EQ(test, one->len, group->len);
	KUNIT_ASSERT_EQ(test, one->protocol, group->protocol);
	KUNIT_ASSERT_EQ(test, 0, skb_linearize(one));
	KUNIT_ASSERT_EQ(test, 0, skb_linearize(group));
	if (one->protocol == htons(ETH_P_IP))
		expect_same_ident(test, ip_hdr(one), ip_hdr(group));
	KUNIT_EXPECT_EQ(test, 0, memcmp(skb_network_header(one),
					skb_network_header(group), one->len));

	KUNIT_EXPECT_EQ(test, one->mark, group->mark);
	KUNIT_EXPECT_EQ(test, one->priority, group->priority);
	KUNIT_EXPECT_TRUE(test, one->ip_summed == group->ip_summed);
	KUNIT_EXPECT_TRUE(test, one->ignore_df == group->ignore_df);
	KUNIT_EXPECT_TRUE(test, one->tstamp_type == group->tstamp_type);
	if (one->ip_summed == CHECKSUM_PARTIAL) {
		KUNIT_EXPECT_EQ(test, skb_checksum_start_offset(one),
				skb_checksum_start_offset(group));
		KUNIT_EXPECT_EQ(test, one->csum_offset, group->csum_offset);
	}
}

static void compare_sizes(struct kunit *test)
{
	static const size_t sizes[] = {
		0, 1, 2, 63, 64, 65, 99, 100, 250, 255, 256, 257, 292, 293, 319,
		320, 321, 512, 1471, 1472, 9000, 32767, MAX_DATA,
	};
	struct fast_ctx *ctx = test->priv;
	int i, m, sends;

	sends = atomic_read(&udp_group_of_sock(ctx->tx->sk)->ident);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct sk_buff *one[MEMBERS], *group;

		for (m = 0; m < MEMBERS; m++) {
			int ret = fast_send(ctx, sizes[i], &ctx->addr[m]);

			KUNIT_EXPECT_EQ(test, sizes[i], ret);
			one[m] = fast_next(test);
			KUNIT_EXPECT_NOT_NULL(test, one[m]);
		}
		KUNIT_EXPECT_EQ(test, sizes[i], fast_send(ctx, sizes[i], NULL));
		for (m = 0; m < MEMBERS; m++) {
			group = fast_next(test);
			KUNIT_EXPECT_NOT_NULL(test, group);
			if (one[m] && group)
				expect_same(test, one[m], group);
			kfree_skb(one[m]);
			kfree_skb(group);
		}
		KUNIT_EXPECT_TRUE(test,
				  fast_path_was_taken(ctx, sends + i + 1));
	}
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(&ctx->seen));
}

static void fast_is_sendto(struct kunit *test)
{
	compare_sizes(test);
}

static void fast_has_tos_ttl_and_priority(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;

	ip_sock_set_tos(ctx->tx->sk, 0xb8);
	WRITE_ONCE(inet_sk(ctx->tx->sk)->uc_ttl, 3);
	compare_sizes(test);
}

static void fast_has_mark(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;

	WRITE_ONCE(ctx->tx->sk->sk_mark, 42);
	compare_sizes(test);
}

static void fast_has_mtu_discovery(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;
	int mode;

	for (mode = IP_PMTUDISC_DONT; mode <= IP_PMTUDISC_OMIT; mode++) {
		KUNIT_EXPECT_EQ(test, 0,
				ip_sock_set_mtu_discover(ctx->tx->sk, mode));
		compare_sizes(test);
	}
}

static void fast_has_no_checksum(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;

	ctx->tx->sk->sk_no_check_tx = 1;
	compare_sizes(test);
}

/* A device that makes no checksums: the data are summed once for all. */
static void fast_sums_itself(struct kunit *test)
{
	struct net_device *lo = init_net.loopback_dev;
	netdev_features_t features = lo->features;

	lo->features &= ~(NETIF_F_HW_CSUM | NETIF_F_IP_CSUM |
			  NETIF_F_IPV6_CSUM);
	compare_sizes(test);
	lo->features = features;
}

static void fast_identifiers_are_successive(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;
	u16 id[MEMBERS];
	int i, m;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, 10, fast_send(ctx, 10, NULL));
		for (m = 0; m < MEMBERS; m++) {
			struct sk_buff *skb = fast_next(test);
			u16 now;

			KUNIT_ASSERT_NOT_NULL(test, skb);
			now = ntohs(ip_hdr(skb)->id);
			if (i)
				KUNIT_EXPECT_EQ(test, now, (u16)(id[m] + 1));
			id[m] = now;
			kfree_skb(skb);
		}
	}
}

/* Members that leave by the same route have the same path, also if those of two
 * flows are looked up in turns.
 */
static void fast_paths_are_shared(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;
	struct udp_group_sock *gs = udp_group_of_sock(ctx->tx->sk);
	struct udp_group_version *v = udp_group_version_get(gs);
	struct udp_group_path *path[MEMBERS];
	struct udp_group_flows flows = {};
	int i;

	flows.fl4.flowi4_proto = IPPROTO_UDP;
	flows.fl4.saddr = htonl(INADDR_LOOPBACK);
	migrate_disable();	/* each CPU has routes of its own */
	for (i = 0; i < MEMBERS; i++) {
		flows.nr4 = 1000 + i % 2;
		path[i] = udp_group_path_get(gs, ctx->tx->sk, &flows,
					     udp_group_member_at(v, i));
	}
	migrate_enable();

	KUNIT_EXPECT_NOT_NULL(test, path[0]);
	KUNIT_EXPECT_PTR_NE(test, path[0], path[1]);
	KUNIT_EXPECT_PTR_EQ(test, path[0], path[2]);
	for (i = 0; i < MEMBERS; i++)
		udp_group_path_put(path[i]);
	udp_group_version_put(gs, v);
}

static void fast_wakes(struct sock *sk)
{
	sk->sk_user_data = sk;
}

/* What is charged at once is given back datagram by datagram. */
static void fast_charges_the_socket(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;
	struct sock *sk = ctx->tx->sk;
	void (*write_space)(struct sock *sk) = sk->sk_write_space;
	int used = sk_wmem_alloc_get(sk);

	KUNIT_EXPECT_EQ(test, 0, used);
	KUNIT_EXPECT_EQ(test, 4, udp_group_reserve(sk, 4, 1000));
	KUNIT_EXPECT_EQ(test, 4000, sk_wmem_alloc_get(sk));
	/* The last may exceed the buffer, the next may not */
	WRITE_ONCE(sk->sk_sndbuf, 5500);
	KUNIT_EXPECT_EQ(test, 2, udp_group_reserve(sk, 64, 1000));
	KUNIT_EXPECT_EQ(test, 6000, sk_wmem_alloc_get(sk));
	KUNIT_EXPECT_EQ(test, 0, udp_group_reserve(sk, 64, 1000));
	KUNIT_EXPECT_EQ(test, 6000, sk_wmem_alloc_get(sk));
	/* Who waits for room hears of what was not needed, and only of it */
	sk->sk_user_data = NULL;
	sk->sk_write_space = fast_wakes;
	udp_group_unreserve(sk, 0, 1000);
	KUNIT_EXPECT_NULL(test, sk->sk_user_data);
	udp_group_unreserve(sk, 6, 1000);
	KUNIT_EXPECT_PTR_EQ(test, sk->sk_user_data, (void *)sk);
	KUNIT_EXPECT_EQ(test, 0, sk_wmem_alloc_get(sk));
	sk->sk_write_space = write_space;
	sk->sk_user_data = NULL;
}

static struct kunit_case udp_group_fast_cases[] = {
	KUNIT_CASE(fast_is_sendto),
	KUNIT_CASE(fast_has_tos_ttl_and_priority),
	KUNIT_CASE(fast_has_mark),
	KUNIT_CASE(fast_has_mtu_discovery),
	KUNIT_CASE(fast_has_no_checksum),
	KUNIT_CASE(fast_sums_itself),
	KUNIT_CASE(fast_identifiers_are_successive),
	KUNIT_CASE(fast_paths_are_shared),
	KUNIT_CASE(fast_charges_the_socket),
	{}
};

static struct kunit_suite udp_group_fast_suite = {
	.name		= "udp_group_fast",
	.init		= fast_init,
	.exit		= fast_exit,
	.test_cases	= udp_group_fast_cases,
};

/* ---- IPv6, and both ---- */

static int fast_init6(struct kunit *test)
{
	return fast_init_kind(test, FAST_IP6);
}

static int fast_init_mixed(struct kunit *test)
{
	return fast_init_kind(test, FAST_MIXED);
}

static void fast6_has_class_hops_and_priority(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;
	struct sock *sk = ctx->tx->sk;

	inet6_sk(sk)->tclass = 0xb8;
	inet6_sk(sk)->hop_limit = 3;
	sock_set_priority(sk, 5);
	compare_sizes(test);
}

static void fast6_has_labels(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;
	struct sock *sk = ctx->tx->sk;
	int on;

	inet6_set_bit(AUTOFLOWLABEL_SET, sk);
	for (on = 0; on < 2; on++) {
		inet6_assign_bit(AUTOFLOWLABEL, sk, on);
		compare_sizes(test);
	}
	/* Of a socket that was connected, labels come from its own hash */
	WRITE_ONCE(sk->sk_txhash, 0x12345678);
	compare_sizes(test);
}

static void fast6_has_mtu_discovery(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;
	int mode;

	for (mode = IPV6_PMTUDISC_DONT; mode <= IPV6_PMTUDISC_OMIT; mode++) {
		inet6_sk(ctx->tx->sk)->pmtudisc = mode;
		compare_sizes(test);
	}
}

static void fast6_has_no_checksum(struct kunit *test)
{
	struct fast_ctx *ctx = test->priv;

	udp_set_no_check6_tx(ctx->tx->sk, true);
	compare_sizes(test);
}

static struct kunit_case udp_group_fast6_cases[] = {
	KUNIT_CASE(fast_is_sendto),
	KUNIT_CASE(fast6_has_class_hops_and_priority),
	KUNIT_CASE(fast_has_mark),
	KUNIT_CASE(fast6_has_labels),
	KUNIT_CASE(fast6_has_mtu_discovery),
	KUNIT_CASE(fast6_has_no_checksum),
	KUNIT_CASE(fast_sums_itself),
	{}
};

static struct kunit_suite udp_group_fast6_suite = {
	.name		= "udp_group_fast6",
	.init		= fast_init6,
	.exit		= fast_exit,
	.test_cases	= udp_group_fast6_cases,
};

static struct kunit_case udp_group_mixed_cases[] = {
	KUNIT_CASE(fast_is_sendto),
	KUNIT_CASE(fast6_has_class_hops_and_priority),
	KUNIT_CASE(fast_has_mark),
	KUNIT_CASE(fast_sums_itself),
	{}
};

static struct kunit_suite udp_group_mixed_suite = {
	.name		= "udp_group_mixed",
	.init		= fast_init_mixed,
	.exit		= fast_exit,
	.test_cases	= udp_group_mixed_cases,
};

kunit_test_suites(&udp_group_fast_suite, &udp_group_fast6_suite,
		  &udp_group_mixed_suite);
