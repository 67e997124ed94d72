// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: KUnit tests.
 */

#include <kunit/test.h>
#include <linux/net.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include "udp_group_impl.h"

#define MEMBER(a, p) {					\
	.sin_family	= AF_INET,			\
	.sin_addr	= { .s_addr = htonl(a) },	\
	.sin_port	= htons(p),			\
}

/* ---- what user space sees ---- */

static void uapi_layout(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, SO_SETGRP, 0x4701);
	KUNIT_EXPECT_EQ(test, SO_ADDGRP, 0x4702);
	KUNIT_EXPECT_EQ(test, SO_DELGRP, 0x4703);
	KUNIT_EXPECT_EQ(test, SO_GRPSTAT, 0x4704);
	KUNIT_EXPECT_EQ(test, SO_GRPFLAGS, 0x4705);
	KUNIT_EXPECT_EQ(test, UDP_GRP_SKIP, 0x4711);
	KUNIT_EXPECT_EQ(test, UDP_GRP_SPREAD, 0x4714);
	KUNIT_EXPECT_EQ(test, sizeof(struct udp_grp_range), 8);
	KUNIT_EXPECT_EQ(test, sizeof(struct udp_grp_private), 16);
	KUNIT_EXPECT_EQ(test, sizeof(union udp_group_addr), 28);
	KUNIT_EXPECT_EQ(test, sizeof(struct udp_grpstat), 88);
	KUNIT_EXPECT_EQ(test, offsetof(struct udp_grpstat, generation), 16);
	KUNIT_EXPECT_EQ(test, offsetof(struct udp_grpstat, sends), 32);
	KUNIT_EXPECT_EQ(test, offsetof(struct udp_grpstat, icmp), 80);
	KUNIT_EXPECT_EQ(test, sizeof(struct udp_grpstat_member), 72);
	KUNIT_EXPECT_EQ(test, offsetof(struct udp_grpstat_member, sent), 8);
	KUNIT_EXPECT_EQ(test, offsetof(struct udp_grpstat_member, addr), 40);
}

static struct kunit_case udp_group_uapi_cases[] = {
	KUNIT_CASE(uapi_layout),
	{}
};

static struct kunit_suite udp_group_uapi_suite = {
	.name		= "udp_group_uapi",
	.test_cases	= udp_group_uapi_cases,
};

/* ---- sockets over loopback ---- */

#define RECEIVERS	5

struct group_ctx {
	struct socket		*tx;
	struct socket		*rx[RECEIVERS];
	struct sockaddr_in	addr[RECEIVERS];
};

static struct socket *udp_socket(struct kunit *test)
{
	struct socket *sock;

	KUNIT_ASSERT_EQ(test, 0,
			sock_create_kern(&init_net, AF_INET, SOCK_DGRAM,
					 IPPROTO_UDP, &sock));
	return sock;
}

static void bind_receiver(struct kunit *test, struct socket *sock,
			  struct sockaddr_in *addr)
{
	struct sockaddr_in any = MEMBER(INADDR_LOOPBACK, 0);
	struct sockaddr *sa = (struct sockaddr *)addr;

	sock->sk->sk_rcvtimeo = 20 * HZ;
	*addr = any;
	KUNIT_ASSERT_EQ(test, 0, kernel_bind(sock, sa, sizeof(*addr)));
	KUNIT_ASSERT_EQ(test, sizeof(*addr), kernel_getsockname(sock, sa));
}

static int group_init(struct kunit *test)
{
	struct group_ctx *ctx;
	int i;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	test->priv = ctx;

	rtnl_lock();
	dev_change_flags(init_net.loopback_dev,
			 init_net.loopback_dev->flags | IFF_UP, NULL);
	rtnl_unlock();

	ctx->tx = udp_socket(test);
	for (i = 0; i < RECEIVERS; i++) {
		ctx->rx[i] = udp_socket(test);
		bind_receiver(test, ctx->rx[i], &ctx->addr[i]);
	}
	return 0;
}

static void group_exit(struct kunit *test)
{
	struct group_ctx *ctx = test->priv;
	int i;

	if (!ctx)
		return;
	for (i = 0; i < RECEIVERS; i++)
		if (ctx->rx[i])
			sock_release(ctx->rx[i]);
	if (ctx->tx)
		sock_release(ctx->tx);
}

static int set_group(struct socket *sock, const struct sockaddr_in *addrs,
		     int n)
{
	return sock_setsockopt(sock, SOL_SOCKET, SO_SETGRP,
			       KERNEL_SOCKPTR((void *)addrs),
			       n * sizeof(*addrs));
}

static int send_to(struct socket *sock, const void *data, size_t len,
		   const struct sockaddr_in *dest)
{
	struct kvec vec = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = {
		.msg_name	= (void *)dest,
		.msg_namelen	= dest ? sizeof(*dest) : 0,
	};

	return kernel_sendmsg(sock, &msg, &vec, 1, len);
}

static int receive(struct socket *sock, void *buf, size_t len, int flags)
{
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {};

	return kernel_recvmsg(sock, &msg, &vec, 1, len, flags);
}

static void expect_data(struct kunit *test, struct socket *sock,
			const char *data)
{
	int len = strlen(data);
	char buf[32];

	KUNIT_EXPECT_EQ(test, len, receive(sock, buf, sizeof(buf), 0));
	KUNIT_EXPECT_EQ(test, 0, memcmp(buf, data, len));
}

static void expect_nothing(struct kunit *test, struct socket *sock)
{
	char buf[32];

	KUNIT_EXPECT_EQ(test, -EAGAIN,
			receive(sock, buf, sizeof(buf), MSG_DONTWAIT));
}

static struct udp_grpstat stat_of(struct kunit *test, struct socket *sock,
				  struct udp_grpstat_member *recs, int n)
{
	struct {
		struct udp_grpstat		stat;
		struct udp_grpstat_member	rec[RECEIVERS + 1];
	} *buf = kunit_kzalloc(test, sizeof(*buf), GFP_KERNEL);
	int len = sizeof(buf->stat) + n * sizeof(buf->rec[0]);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	buf->stat.size = sizeof(buf->stat);
	buf->stat.member_size = sizeof(buf->rec[0]);
	KUNIT_EXPECT_EQ(test, 0,
			udp_group_get_stat(sock->sk, KERNEL_SOCKPTR(buf),
					   KERNEL_SOCKPTR(&len)));
	KUNIT_EXPECT_EQ(test, len, sizeof(buf->stat) +
			buf->stat.records * sizeof(buf->rec[0]));
	if (recs)
		memcpy(recs, buf->rec, n * sizeof(*recs));
	return buf->stat;
}

static void group_reaches_every_member(struct kunit *test)
{
	struct udp_grpstat_member recs[RECEIVERS];
	struct group_ctx *ctx = test->priv;
	struct udp_grpstat stat;
	int i;

	KUNIT_ASSERT_EQ(test, 0, set_group(ctx->tx, ctx->addr, RECEIVERS));
	KUNIT_EXPECT_EQ(test, 5, send_to(ctx->tx, "hello", 5, NULL));

	for (i = 0; i < RECEIVERS; i++) {
		expect_data(test, ctx->rx[i], "hello");
		expect_nothing(test, ctx->rx[i]);
	}

	stat = stat_of(test, ctx->tx, recs, RECEIVERS);
	KUNIT_EXPECT_EQ(test, stat.generation, 1);
	KUNIT_EXPECT_EQ(test, stat.members, RECEIVERS);
	KUNIT_EXPECT_EQ(test, stat.slots, RECEIVERS);
	KUNIT_EXPECT_EQ(test, stat.records, RECEIVERS);
	KUNIT_EXPECT_EQ(test, stat.sends, 1);
	KUNIT_EXPECT_EQ(test, stat.sent, RECEIVERS);
	KUNIT_EXPECT_EQ(test, stat.failed + stat.skipped + stat.holes +
			stat.unreached + stat.icmp, 0);
	for (i = 0; i < RECEIVERS; i++) {
		KUNIT_EXPECT_EQ(test, recs[i].slot, i);
		KUNIT_EXPECT_EQ(test, recs[i].sent, 1);
		KUNIT_EXPECT_EQ(test, recs[i].error, 0);
		KUNIT_EXPECT_EQ(test, 0, memcmp(&recs[i].addr, &ctx->addr[i],
						sizeof(ctx->addr[i])));
	}
}

static void group_is_replaced_and_dissolved(struct kunit *test)
{
	struct group_ctx *ctx = test->priv;
	struct udp_grpstat stat;

	KUNIT_ASSERT_EQ(test, 0, set_group(ctx->tx, &ctx->addr[0], 2));
	KUNIT_ASSERT_EQ(test, 0, set_group(ctx->tx, &ctx->addr[2], 1));
	KUNIT_EXPECT_EQ(test, 1, send_to(ctx->tx, "x", 1, NULL));
	expect_data(test, ctx->rx[2], "x");
	expect_nothing(test, ctx->rx[0]);

	KUNIT_ASSERT_EQ(test, 0, set_group(ctx->tx, NULL, 0));
	KUNIT_EXPECT_EQ(test, -EDESTADDRREQ, send_to(ctx->tx, "x", 1, NULL));

	stat = stat_of(test, ctx->tx, NULL, 0);
	KUNIT_EXPECT_EQ(test, stat.generation, 3);
	KUNIT_EXPECT_EQ(test, stat.members, 0);
	KUNIT_EXPECT_EQ(test, stat.sent, 1);
}

static void group_yields_to_a_destination(struct kunit *test)
{
	struct group_ctx *ctx = test->priv;

	KUNIT_ASSERT_EQ(test, 0, set_group(ctx->tx, &ctx->addr[0], 2));
	KUNIT_EXPECT_EQ(test, 1, send_to(ctx->tx, "x", 1, &ctx->addr[4]));
	expect_data(test, ctx->rx[4], "x");
	expect_nothing(test, ctx->rx[0]);
	KUNIT_EXPECT_EQ(test, 0, stat_of(test, ctx->tx, NULL, 0).sent);
}

static void group_outlives_a_dead_member(struct kunit *test)
{
	struct udp_grpstat_member recs[2];
	struct group_ctx *ctx = test->priv;
	int i;

	/* The port of member 0 is closed: its ICMP errors come back here */
	sock_release(ctx->rx[0]);
	ctx->rx[0] = NULL;
	KUNIT_ASSERT_EQ(test, 0, set_group(ctx->tx, ctx->addr, 2));
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, 1, send_to(ctx->tx, "x", 1, NULL));
		expect_data(test, ctx->rx[1], "x");
	}

	KUNIT_EXPECT_EQ(test, 0, READ_ONCE(ctx->tx->sk->sk_err));
	KUNIT_EXPECT_GE(test, stat_of(test, ctx->tx, recs, 2).icmp, 1);
	KUNIT_EXPECT_EQ(test, recs[0].error, ECONNREFUSED);
	KUNIT_EXPECT_GE(test, recs[0].icmp, 1);
	KUNIT_EXPECT_EQ(test, recs[0].sent, 3);
	KUNIT_EXPECT_EQ(test, recs[1].error, 0);
	KUNIT_EXPECT_EQ(test, recs[1].icmp, 0);
}

static void group_and_connect_exclude_each_other(struct kunit *test)
{
	struct group_ctx *ctx = test->priv;
	struct sockaddr *dest = (struct sockaddr *)&ctx->addr[3];

	KUNIT_ASSERT_EQ(test, 0, set_group(ctx->tx, ctx->addr, 2));
	KUNIT_EXPECT_EQ(test, -EISCONN,
			kernel_connect(ctx->tx, dest, sizeof(ctx->addr[3]), 0));
	KUNIT_ASSERT_EQ(test, 0, set_group(ctx->tx, NULL, 0));
	KUNIT_EXPECT_EQ(test, 0,
			kernel_connect(ctx->tx, dest, sizeof(ctx->addr[3]), 0));
	KUNIT_EXPECT_EQ(test, -EISCONN, set_group(ctx->tx, ctx->addr, 2));
}

/* Versions that are held stay, up to a number; what is refused is not kept. */
static void group_bounds_its_versions(struct kunit *test)
{
	struct udp_group_version *held[UDP_GROUP_MAX_TREES];
	struct group_ctx *ctx = test->priv;
	struct udp_group_sock *gs;
	int i;

	for (i = 0; i < UDP_GROUP_MAX_TREES; i++) {
		KUNIT_ASSERT_EQ(test, 0,
				set_group(ctx->tx, ctx->addr, 1 + i % 2));
		gs = udp_group_of_sock(ctx->tx->sk);
		held[i] = udp_group_version_get(gs);
	}
	KUNIT_EXPECT_EQ(test, -EBUSY, set_group(ctx->tx, ctx->addr, 3));
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(gs->version),
			    held[UDP_GROUP_MAX_TREES - 1]);
	KUNIT_EXPECT_EQ(test, atomic_read(&gs->trees), UDP_GROUP_MAX_TREES);

	udp_group_version_put(gs, held[0]);
	KUNIT_EXPECT_EQ(test, 0, set_group(ctx->tx, ctx->addr, 3));
	for (i = 1; i < UDP_GROUP_MAX_TREES; i++)
		udp_group_version_put(gs, held[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&gs->trees), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&gs->nr_versions), 1);
}

/* Callers compiled with a shorter or a longer structure get what both know. */
static void stat_sizes_can_differ(struct kunit *test)
{
	struct group_ctx *ctx = test->priv;
	struct {
		struct udp_grpstat		stat;
		u64				more;
		struct {
			struct udp_grpstat_member	known;
			u64				more;
		} rec[2];
	} newer = {
		.stat.size = sizeof(newer.stat) + sizeof(u64),
		.stat.member_size = sizeof(newer.rec[0]),
		.more = 42,
	};
	struct {
		u32	size, member_size, first_slot, records;
		u64	generation;
		u64	rec[2];
	} older = { .size = 24, .member_size = 8, .first_slot = 1 };
	struct sock *sk = ctx->tx->sk;
	int len = sizeof(newer);

	KUNIT_ASSERT_EQ(test, 0, set_group(ctx->tx, ctx->addr, 2));
	KUNIT_EXPECT_EQ(test, 0, udp_group_get_stat(sk, KERNEL_SOCKPTR(&newer),
						    KERNEL_SOCKPTR(&len)));
	KUNIT_EXPECT_EQ(test, newer.stat.size, sizeof(struct udp_grpstat));
	KUNIT_EXPECT_EQ(test, newer.stat.member_size,
			sizeof(struct udp_grpstat_member));
	KUNIT_EXPECT_EQ(test, newer.stat.records, 2);
	KUNIT_EXPECT_EQ(test, newer.more, 42);
	KUNIT_EXPECT_EQ(test, newer.rec[0].known.slot, 0);
	KUNIT_EXPECT_EQ(test, len, sizeof(newer.stat) + sizeof(u64) +
			2 * sizeof(struct udp_grpstat_member));

	len = sizeof(older);
	KUNIT_EXPECT_EQ(test, 0, udp_group_get_stat(sk, KERNEL_SOCKPTR(&older),
						    KERNEL_SOCKPTR(&len)));
	KUNIT_EXPECT_EQ(test, older.size, 24);
	KUNIT_EXPECT_EQ(test, older.records, 1);
	KUNIT_EXPECT_EQ(test, older.generation, 1);
	KUNIT_EXPECT_EQ(test, (u32)older.rec[0], 1);
	KUNIT_EXPECT_EQ(test, older.rec[1], 0);
	KUNIT_EXPECT_EQ(test, len, 24 + 8);
}

static struct kunit_case udp_group_socket_cases[] = {
	KUNIT_CASE(group_reaches_every_member),
	KUNIT_CASE(group_is_replaced_and_dissolved),
	KUNIT_CASE(group_yields_to_a_destination),
	KUNIT_CASE(group_outlives_a_dead_member),
	KUNIT_CASE(group_and_connect_exclude_each_other),
	KUNIT_CASE(group_bounds_its_versions),
	KUNIT_CASE(stat_sizes_can_differ),
	{}
};

static struct kunit_suite udp_group_socket_suite = {
	.name		= "udp_group_socket",
	.init		= group_init,
	.exit		= group_exit,
	.test_cases	= udp_group_socket_cases,
};

kunit_test_suites(&udp_group_uapi_suite, &udp_group_socket_suite);
