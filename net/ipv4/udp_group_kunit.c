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

/* ---- one version of a group ---- */

static struct udp_group_member *find(struct udp_group_table *t,
				     const struct sockaddr_in *sin)
{
	return udp_group_table_find(t, sin->sin_addr.s_addr, sin->sin_port);
}

/* The error of a parse that should not succeed. */
static long parse_error(const void *addrs, unsigned int len)
{
	struct udp_group_table *t = udp_group_table_parse(addrs, len);

	if (IS_ERR(t))
		return PTR_ERR(t);
	udp_group_table_free(t);
	return 0;
}

static void table_keeps_order(struct kunit *test)
{
	const struct sockaddr_in addrs[] = {
		MEMBER(0x0a000003, 3000), MEMBER(0x0a000001, 3000),
		MEMBER(0x0a000001, 1000), MEMBER(0xffffffff, 65535),
	};
	struct udp_group_table *t;
	int i;

	t = udp_group_table_parse(addrs, sizeof(addrs));
	KUNIT_ASSERT_FALSE(test, IS_ERR(t));

	KUNIT_EXPECT_EQ(test, t->slots, ARRAY_SIZE(addrs));
	KUNIT_EXPECT_EQ(test, t->members, ARRAY_SIZE(addrs));
	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		KUNIT_EXPECT_EQ(test, memcmp(&t->slot[i].addr, &addrs[i],
					     sizeof(addrs[i])), 0);
		KUNIT_EXPECT_PTR_EQ(test, &t->slot[i], find(t, &addrs[i]));
	}
	udp_group_table_free(t);
}

static void table_finds_no_stranger(struct kunit *test)
{
	const struct sockaddr_in addr = MEMBER(0x0a000001, 1000);
	struct udp_group_table *t;

	t = udp_group_table_parse(&addr, sizeof(addr));
	KUNIT_ASSERT_FALSE(test, IS_ERR(t));

	KUNIT_EXPECT_NULL(test, udp_group_table_find(t, htonl(0x0a000001),
						     htons(1001)));
	KUNIT_EXPECT_NULL(test, udp_group_table_find(t, htonl(0x0a000002),
						     htons(1000)));
	KUNIT_EXPECT_NULL(test, udp_group_table_find(t, 0, 0));
	udp_group_table_free(t);
}

/* Every length from 1 on that does not end where an address does. */
static void table_refuses_cut_addresses(struct kunit *test)
{
	const struct sockaddr_in addrs[] = {
		MEMBER(0x0a000001, 1), MEMBER(0x0a000002, 2),
	};
	unsigned int len;

	for (len = 1; len < sizeof(addrs); len++) {
		if (len == sizeof(addrs[0]))
			continue;
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, parse_error(addrs, len),
				    "length %u", len);
	}
}

struct bad_addr {
	const char		*what;
	struct sockaddr_in	addr;
	int			err;
};

static const struct bad_addr bad_addrs[] = {
	{ "port 0", MEMBER(0x0a000002, 0), -EINVAL },
	{ "given twice", MEMBER(0x0a000001, 1), -EADDRINUSE },
	{ "AF_UNSPEC", { .sin_family = AF_UNSPEC, .sin_port = htons(1) },
	  -EAFNOSUPPORT },
	{ "AF_INET6", { .sin_family = AF_INET6, .sin_port = htons(1) },
	  -EAFNOSUPPORT },
	{ "no family", { .sin_family = 0xffff, .sin_port = htons(1) },
	  -EAFNOSUPPORT },
};

KUNIT_ARRAY_PARAM_DESC(bad_addr, bad_addrs, what);

/* First, in the middle and last: nothing before it may stay behind. */
static void table_refuses_bad_address(struct kunit *test)
{
	const struct bad_addr *bad = test->param_value;
	int where;

	for (where = 1; where < 4; where++) {
		struct sockaddr_in addrs[4] = {
			MEMBER(0x0a000001, 1), MEMBER(0x0a000011, 1),
			MEMBER(0x0a000012, 1), MEMBER(0x0a000013, 1),
		};

		addrs[where] = bad->addr;
		KUNIT_EXPECT_EQ_MSG(test, bad->err,
				    parse_error(addrs, sizeof(addrs)),
				    "%s at %d", bad->what, where);
	}
}

static void table_keeps_the_limit(struct kunit *test)
{
	const struct sockaddr_in addrs[] = {
		MEMBER(0x0a000001, 1), MEMBER(0x0a000002, 2),
	};
	unsigned int limit = sysctl_udp_group_max_members;

	WRITE_ONCE(sysctl_udp_group_max_members, 1);
	KUNIT_EXPECT_EQ(test, -ENOBUFS, parse_error(addrs, sizeof(addrs)));
	KUNIT_EXPECT_EQ(test, 0, parse_error(addrs, sizeof(addrs[0])));
	WRITE_ONCE(sysctl_udp_group_max_members, limit);
}

/* As many as there can be: all are found, and what one costs is bounded. */
static void table_of_the_largest_size(struct kunit *test)
{
	const u32 n = UDP_GROUP_MAX_MEMBERS;
	struct sockaddr_in *addrs;
	struct udp_group_table *t;
	u32 i, missed = 0;

	addrs = kvcalloc(n, sizeof(*addrs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, addrs);
	for (i = 0; i < n; i++) {
		addrs[i].sin_family = AF_INET;
		addrs[i].sin_addr.s_addr = htonl(0x0a000000 + i / 7);
		addrs[i].sin_port = htons(1 + i % 7);
	}
	t = udp_group_table_parse(addrs, n * sizeof(*addrs));
	if (IS_ERR(t)) {
		KUNIT_FAIL(test, "parse: %ld", PTR_ERR(t));
		goto free_addrs;
	}

	for (i = 0; i < n; i++)
		missed += find(t, &addrs[i]) != &t->slot[i];
	KUNIT_EXPECT_EQ(test, missed, 0);
	KUNIT_EXPECT_LE(test, sizeof(t->slot[0]) + 2 * sizeof(t->hash[0]), 128);
	udp_group_table_free(t);
free_addrs:
	kvfree(addrs);
}

static struct kunit_case udp_group_table_cases[] = {
	KUNIT_CASE(table_keeps_order),
	KUNIT_CASE(table_finds_no_stranger),
	KUNIT_CASE(table_refuses_cut_addresses),
	KUNIT_CASE_PARAM(table_refuses_bad_address, bad_addr_gen_params),
	KUNIT_CASE(table_keeps_the_limit),
	KUNIT_CASE(table_of_the_largest_size),
	{}
};

static struct kunit_suite udp_group_table_suite = {
	.name		= "udp_group_table",
	.test_cases	= udp_group_table_cases,
};

/* ---- what user space sees ---- */

static void uapi_layout(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, SO_SETGRP, 0x4701);
	KUNIT_EXPECT_EQ(test, SO_GRPSTAT, 0x4704);
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

	sock->sk->sk_rcvtimeo = 2 * HZ;
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
	struct udp_group_table *held[UDP_GROUP_MAX_TABLES];
	struct group_ctx *ctx = test->priv;
	struct udp_group_sock *gs;
	int i;

	for (i = 0; i < UDP_GROUP_MAX_TABLES; i++) {
		KUNIT_ASSERT_EQ(test, 0,
				set_group(ctx->tx, ctx->addr, 1 + i % 2));
		gs = udp_group_of_sock(ctx->tx->sk);
		held[i] = udp_group_table_get(gs);
	}
	KUNIT_EXPECT_EQ(test, -EBUSY, set_group(ctx->tx, ctx->addr, 3));
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(gs->table),
			    held[UDP_GROUP_MAX_TABLES - 1]);
	KUNIT_EXPECT_EQ(test, atomic_read(&gs->tables), UDP_GROUP_MAX_TABLES);

	udp_group_table_put(gs, held[0]);
	KUNIT_EXPECT_EQ(test, 0, set_group(ctx->tx, ctx->addr, 3));
	for (i = 1; i < UDP_GROUP_MAX_TABLES; i++)
		udp_group_table_put(gs, held[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&gs->tables), 1);
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

kunit_test_suites(&udp_group_table_suite, &udp_group_uapi_suite,
		  &udp_group_socket_suite);
