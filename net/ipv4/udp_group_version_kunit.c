// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: KUnit tests of addresses, the index and versions.
 */

#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include "udp_group_impl.h"

#define MEMBER(a, p) {					\
	.sin_family	= AF_INET,			\
	.sin_addr	= { .s_addr = htonl(a) },	\
	.sin_port	= htons(p),			\
}

static union udp_group_addr addr_of(u32 i)
{
	union udp_group_addr addr = {
		.in = MEMBER(0x0a000000 + i / 7, 1 + i % 7),
	};

	return addr;
}

/* ---- addresses ---- */

static int count(const void *addrs, unsigned int len)
{
	return udp_group_addr_count(addrs, len, AF_INET);
}

/* Every length from 1 on that does not end where an address does. */
static void addr_cut_short(struct kunit *test)
{
	const struct sockaddr_in addrs[] = {
		MEMBER(0x0a000001, 1), MEMBER(0x0a000002, 2),
	};
	unsigned int len;

	for (len = 1; len < sizeof(addrs); len++)
		KUNIT_EXPECT_EQ_MSG(test, count(addrs, len),
				    len == sizeof(addrs[0]) ? 1 : -EINVAL,
				    "length %u", len);
	KUNIT_EXPECT_EQ(test, count(addrs, sizeof(addrs)), 2);
}

struct bad_addr {
	const char		*what;
	struct sockaddr_in	addr;
	int			err;
};

static const struct bad_addr bad_addrs[] = {
	{ "AF_UNSPEC", { .sin_family = AF_UNSPEC, .sin_port = htons(1) },
	  -EAFNOSUPPORT },
	{ "AF_INET6", { .sin_family = AF_INET6, .sin_port = htons(1) },
	  -EAFNOSUPPORT },
	{ "no family", { .sin_family = 0xffff, .sin_port = htons(1) },
	  -EAFNOSUPPORT },
};

KUNIT_ARRAY_PARAM_DESC(bad_addr, bad_addrs, what);

static void addr_refused(struct kunit *test)
{
	const struct bad_addr *bad = test->param_value;
	int where;

	for (where = 0; where < 3; where++) {
		struct sockaddr_in addrs[] = {
			MEMBER(0x0a000001, 1), MEMBER(0x0a000011, 1),
			MEMBER(0x0a000012, 1),
		};

		addrs[where] = bad->addr;
		KUNIT_EXPECT_EQ_MSG(test, bad->err,
				    count(addrs, sizeof(addrs)),
				    "%s at %d", bad->what, where);
	}
}

static void addr_has_a_port(struct kunit *test)
{
	const struct sockaddr_in none = MEMBER(0x0a000001, 0);
	union udp_group_addr addr;

	KUNIT_EXPECT_EQ(test, -EINVAL,
			udp_group_addr_parse(&addr, &none, sizeof(none),
					     AF_INET));
}

/* Of an AF_INET6 socket, packed one behind another, each as long as it is. */
static void addr_families_mixed(struct kunit *test)
{
	struct sockaddr_in6 in6 = {
		.sin6_family	= AF_INET6,
		.sin6_port	= htons(2),
		.sin6_scope_id	= 3,
	};
	struct sockaddr_in in = MEMBER(0x0a000001, 1);
	char packed[sizeof(in) + sizeof(in6) + sizeof(in)];
	union udp_group_addr addr;

	in6.sin6_addr.s6_addr[15] = 1;
	memcpy(packed, &in, sizeof(in));
	memcpy(packed + sizeof(in), &in6, sizeof(in6));
	memcpy(packed + sizeof(in) + sizeof(in6), &in, sizeof(in));

	KUNIT_EXPECT_EQ(test, 3, udp_group_addr_count(packed, sizeof(packed),
						      AF_INET6));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			udp_group_addr_count(packed, sizeof(packed) - 1,
					     AF_INET6));
	KUNIT_EXPECT_EQ(test, -EAFNOSUPPORT, count(packed, sizeof(packed)));
	KUNIT_EXPECT_EQ(test, sizeof(in6),
			udp_group_addr_parse(&addr, packed + sizeof(in),
					     sizeof(packed) - sizeof(in),
					     AF_INET6));
	KUNIT_EXPECT_EQ(test, 0, memcmp(&addr.in6, &in6, sizeof(in6)));
}

/* An IPv4 address is the same as its mapped one; a scope counts on a link. */
static void addr_keys(struct kunit *test)
{
	struct in6_addr link_local = { .s6_addr = { 0xfe, 0x80, [15] = 1 } };
	struct in6_addr global = { .s6_addr = { 0x20, 0x01, [15] = 1 } };
	union udp_group_addr mapped = {
		.in6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) },
	}, in = { .in = MEMBER(0x0a000001, 9) };
	struct udp_group_key a, b;

	ipv6_addr_set_v4mapped(in.in.sin_addr.s_addr, &mapped.in6.sin6_addr);
	udp_group_key_init(&a, &in);
	udp_group_key_init(&b, &mapped);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&a, &b, sizeof(a)));

	udp_group_key_init6(&a, &link_local, htons(9), 1);
	udp_group_key_init6(&b, &link_local, htons(9), 2);
	KUNIT_EXPECT_NE(test, 0, memcmp(&a, &b, sizeof(a)));
	udp_group_key_init6(&a, &global, htons(9), 1);
	udp_group_key_init6(&b, &global, htons(9), 2);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&a, &b, sizeof(a)));
}

static struct kunit_case udp_group_addr_cases[] = {
	KUNIT_CASE(addr_cut_short),
	KUNIT_CASE_PARAM(addr_refused, bad_addr_gen_params),
	KUNIT_CASE(addr_has_a_port),
	KUNIT_CASE(addr_families_mixed),
	KUNIT_CASE(addr_keys),
	{}
};

static struct kunit_suite udp_group_addr_suite = {
	.name		= "udp_group_addr",
	.test_cases	= udp_group_addr_cases,
};

/* ---- versions ---- */

static int version_init(struct kunit *test)
{
	struct udp_group_sock *gs;

	gs = kunit_kzalloc(test, sizeof(*gs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, gs);
	spin_lock_init(&gs->lock);
	udp_group_versions_init(gs);
	test->priv = gs;
	return 0;
}

/* Whatever a test leaves goes here; the caches say so if it does not. */
static void version_exit(struct kunit *test)
{
	struct udp_group_sock *gs = test->priv;

	if (!gs)
		return;
	if (rcu_access_pointer(gs->version))
		udp_group_publish(gs, NULL);
	KUNIT_EXPECT_EQ(test, atomic_read(&gs->nr_versions), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&gs->trees), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&gs->versions));
}

static struct udp_group_version *current_version(struct udp_group_sock *gs)
{
	return rcu_dereference_protected(gs->version, true);
}

static void join(struct kunit *test, struct udp_group_edit *edit, u32 i)
{
	struct udp_group_member *m = udp_group_member_alloc();

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->addr = addr_of(i);
	KUNIT_ASSERT_EQ(test, 0, udp_group_edit_add(edit, m));
	udp_group_index_insert(edit->v->index, m,
			       udp_group_index_reserve(edit->v->index));
}

static struct udp_group_member *find(struct udp_group_version *v, u32 i)
{
	union udp_group_addr addr = addr_of(i);
	struct udp_group_key key;

	udp_group_key_init(&key, &addr);
	return udp_group_index_find(v->index, &key);
}

/* A group of members 0 to n - 1. */
static void make_group(struct kunit *test, u32 n)
{
	struct udp_group_edit edit;
	u32 i;

	KUNIT_ASSERT_EQ(test, 0, udp_group_edit_begin(&edit, NULL));
	for (i = 0; i < n; i++)
		join(test, &edit, i);
	udp_group_publish(test->priv, &edit);
}

static void join_one(struct kunit *test, u32 i)
{
	struct udp_group_sock *gs = test->priv;
	struct udp_group_edit edit;

	KUNIT_ASSERT_EQ(test, 0,
			udp_group_edit_begin(&edit, current_version(gs)));
	join(test, &edit, i);
	udp_group_publish(gs, &edit);
}

static void leave_one(struct kunit *test, u32 i)
{
	struct udp_group_sock *gs = test->priv;
	struct udp_group_member *m;
	struct udp_group_edit edit;

	KUNIT_ASSERT_EQ(test, 0,
			udp_group_edit_begin(&edit, current_version(gs)));
	m = find(edit.v, i);
	KUNIT_ASSERT_NOT_NULL(test, m);
	edit.left = &m;
	KUNIT_ASSERT_EQ(test, 0, udp_group_edit_remove(&edit, m));
	edit.nr_left = 1;
	udp_group_publish(gs, &edit);
}

static void version_slots(struct kunit *test)
{
	struct udp_group_sock *gs = test->priv;
	struct udp_group_version *v;
	u32 i;

	make_group(test, 200);
	v = current_version(gs);
	KUNIT_EXPECT_EQ(test, v->slots, 200);
	KUNIT_EXPECT_EQ(test, v->members, 200);
	for (i = 0; i < 200; i++) {
		KUNIT_EXPECT_PTR_EQ(test, udp_group_member_at(v, i),
				    find(v, i));
		KUNIT_EXPECT_EQ(test, find(v, i)->slot, i);
	}

	/* Holes are taken from the lowest on, then slots behind the last */
	leave_one(test, 150);
	leave_one(test, 3);
	v = current_version(gs);
	KUNIT_EXPECT_NULL(test, udp_group_member_at(v, 3));
	KUNIT_EXPECT_NULL(test, find(v, 3));
	KUNIT_EXPECT_EQ(test, v->slots, 200);
	KUNIT_EXPECT_EQ(test, v->members, 198);
	for (i = 1000; i < 1003; i++)
		join_one(test, i);
	v = current_version(gs);
	KUNIT_EXPECT_EQ(test, find(v, 1000)->slot, 3);
	KUNIT_EXPECT_EQ(test, find(v, 1001)->slot, 150);
	KUNIT_EXPECT_EQ(test, find(v, 1002)->slot, 200);

	/* With the last ones, slots go */
	leave_one(test, 1002);
	leave_one(test, 199);
	leave_one(test, 198);
	KUNIT_EXPECT_EQ(test, current_version(gs)->slots, 198);
	for (i = 64; i < 198; i++)
		leave_one(test, i == 150 ? 1001 : i);
	KUNIT_EXPECT_EQ(test, current_version(gs)->slots, 64);
	KUNIT_EXPECT_EQ(test, hweight64(current_version(gs)->branch[0]->used),
			1);
}

static void version_aborted(struct kunit *test)
{
	struct udp_group_sock *gs = test->priv;
	struct udp_group_version *v;
	struct udp_group_edit edit;
	u32 i;

	make_group(test, 100);
	v = current_version(gs);

	KUNIT_ASSERT_EQ(test, 0, udp_group_edit_begin(&edit, v));
	for (i = 100; i < 9000; i++)
		join(test, &edit, i);
	udp_group_edit_abort(gs, &edit);

	KUNIT_ASSERT_EQ(test, 0, udp_group_edit_begin(&edit, v));
	for (i = 0; i < 100; i++)
		KUNIT_ASSERT_EQ(test, 0,
				udp_group_edit_remove(&edit, find(v, i)));
	KUNIT_EXPECT_EQ(test, edit.v->members, 0);
	KUNIT_EXPECT_EQ(test, edit.v->slots, 0);
	udp_group_edit_abort(gs, &edit);

	KUNIT_EXPECT_PTR_EQ(test, current_version(gs), v);
	KUNIT_EXPECT_EQ(test, v->members, 100);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_PTR_EQ(test, udp_group_member_at(v, i),
				    find(v, i));
	KUNIT_EXPECT_NULL(test, find(v, 100));
	KUNIT_EXPECT_NULL(test, find(v, 8999));
}

/* As many as there can be: all are found, and what one costs is bounded. */
static void version_of_the_largest_size(struct kunit *test)
{
	const u32 n = UDP_GROUP_MAX_MEMBERS;
	struct udp_group_sock *gs = test->priv;
	struct udp_group_version *v;
	u32 i, missed = 0;

	make_group(test, n);
	v = current_version(gs);
	KUNIT_EXPECT_EQ(test, v->slots, n);
	KUNIT_EXPECT_EQ(test, v->full, BIT(UDP_GROUP_BRANCHES) - 1);
	for (i = 0; i < n; i++)
		missed += udp_group_member_at(v, i) != find(v, i);
	KUNIT_EXPECT_EQ(test, missed, 0);
	/* The member, its place in a leaf and its bucket, and the pointer that
	 * the memory cgroup has to each object
	 */
	KUNIT_EXPECT_LE(test, sizeof(struct udp_group_member) +
			sizeof(struct udp_group_node) / UDP_GROUP_FANOUT +
			3 * sizeof(void *), 128);

	leave_one(test, 40000);
	join_one(test, n);
	KUNIT_EXPECT_EQ(test, find(current_version(gs), n)->slot, 40000);
}

#define HELD	7
#define RANGE	300

/* What a version that is held should consist of. */
struct shadow {
	struct udp_group_version	*v;
	u16				slot[RANGE];	/* of a member, + 1 */
};

static void expect_version(struct kunit *test, const struct shadow *s)
{
	u32 i, members = 0;

	for (i = 0; i < RANGE; i++) {
		union udp_group_addr addr = addr_of(i);
		struct udp_group_member *m;

		if (!s->slot[i])
			continue;
		members++;
		m = udp_group_member_at(s->v, s->slot[i] - 1);
		KUNIT_ASSERT_NOT_NULL(test, m);
		KUNIT_EXPECT_EQ(test, 0, memcmp(&m->addr, &addr, sizeof(addr)));
	}
	KUNIT_EXPECT_EQ(test, members, s->v->members);
}

/* Joins, leaves and replacements in any order, while versions are held and let
 * go of in any order: each remains what it was.
 */
static void version_snapshots(struct kunit *test)
{
	struct shadow *held, now = {};
	struct udp_group_sock *gs = test->priv;
	struct rnd_state rnd;
	u32 i, k, step;

	prandom_seed_state(&rnd, 4711);
	held = kunit_kcalloc(test, HELD, sizeof(*held), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, held);
	make_group(test, 1);
	now.slot[0] = 1;

	for (step = 0; step < 5000; step++) {
		i = prandom_u32_state(&rnd) % RANGE;
		if (step % 500 == 499) {
			u32 n = 1 + i;

			make_group(test, n);
			for (k = 0; k < RANGE; k++)
				now.slot[k] = k < n ? k + 1 : 0;
		} else if (!now.slot[i]) {
			join_one(test, i);
			now.slot[i] = find(current_version(gs), i)->slot + 1;
		} else if (current_version(gs)->members > 1) {
			leave_one(test, i);
			now.slot[i] = 0;
		}

		k = prandom_u32_state(&rnd) % HELD;
		if (held[k].v) {
			expect_version(test, &held[k]);
			udp_group_version_put(gs, held[k].v);
		}
		held[k] = now;
		held[k].v = udp_group_version_get(gs);
		KUNIT_EXPECT_LE(test, atomic_read(&gs->nr_versions), HELD + 1);
	}
	for (k = 0; k < HELD; k++) {
		if (!held[k].v)
			continue;
		expect_version(test, &held[k]);
		udp_group_version_put(gs, held[k].v);
	}
}

/* A version that is held for ever does not keep what came and went after it. */
static void version_held_keeps_its_own(struct kunit *test)
{
	struct udp_group_sock *gs = test->priv;
	struct udp_group_version *held;
	struct udp_group_member *m;
	struct udp_group_node *node;
	u32 i, members = 0, nodes = 0;

	make_group(test, 100);
	join_one(test, 100);
	held = udp_group_version_get(gs);
	for (i = 0; i < 1000; i++) {
		join_one(test, 200 + i);
		leave_one(test, 200 + i);
	}
	leave_one(test, 0);

	for (m = held->garbage.members; m; m = m->next)
		members++;
	for (node = held->garbage.nodes; node; node = node->next)
		nodes++;
	/* The one that left, and the way to the last slot and to the first */
	KUNIT_EXPECT_EQ(test, members, 1);
	KUNIT_EXPECT_EQ(test, nodes, 3);
	KUNIT_EXPECT_EQ(test, atomic_read(&gs->nr_versions), 2);
	udp_group_version_put(gs, held);
}

static struct kunit_case udp_group_version_cases[] = {
	KUNIT_CASE(version_slots),
	KUNIT_CASE(version_aborted),
	KUNIT_CASE(version_of_the_largest_size),
	KUNIT_CASE(version_snapshots),
	KUNIT_CASE(version_held_keeps_its_own),
	{}
};

static struct kunit_suite udp_group_version_suite = {
	.name		= "udp_group_version",
	.init		= version_init,
	.exit		= version_exit,
	.test_cases	= udp_group_version_cases,
};

kunit_test_suites(&udp_group_addr_suite, &udp_group_version_suite);
