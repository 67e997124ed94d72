/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Group unicast for UDP: the engine's own structures.
 *
 * A socket has one struct udp_group_sock, from its first group until it is
 * destroyed. What its members are at a moment is a struct udp_group_table:
 * its slots never change once it is published, a change of the group makes
 * another. A send takes a reference to the table it finds and goes through
 * with that one, so it sees exactly one version of the group; it may sleep in
 * between, for room in the send buffer, as long as its timeout allows.
 *
 * Locks: the socket lock serialises changes. udp_group_sock.lock, inside it
 * and taken from softirq too, guards the pointer to the table and the totals.
 * What a member counts is atomic, because several sends may be at one table.
 */
#ifndef _UDP_GROUP_IMPL_H
#define _UDP_GROUP_IMPL_H

#include <linux/atomic.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <net/udp_group.h>

/* Tables of one group alive at once: the one in use, and those that sends
 * under way hold. Each can be megabytes, and a send can block for ever.
 */
#define UDP_GROUP_MAX_TABLES	16

/**
 * struct udp_group_member - one slot of a table
 * @addr: address; family AF_UNSPEC marks a hole
 * @next: slot + 1 of the next member in the same hash bucket, 0 at the end
 * @error: last errno, from a send or from ICMP
 * @icmp: ICMP errors that came back
 * @sent: datagrams taken by the qdisc
 * @failed: datagrams that met an error
 */
struct udp_group_member {
	union udp_group_addr	addr;
	u32			next;
	int			error;
	atomic_t		icmp;
	atomic64_t		sent;
	atomic64_t		failed;
};

/**
 * struct udp_group_table - one version of a group
 * @ref: one for the group that it is the version of, one for each send
 * @slots: number of slots, at least 1
 * @members: slots that are no hole
 * @hash_mask: number of hash buckets, minus 1
 * @hash_seed: what the addresses are hashed with, so that no one can choose
 *	many that meet in one bucket
 * @generation: as the user sees it
 * @hash: slot + 1 of the first member in each bucket, 0 if it is empty;
 *	behind the slots, in the same allocation
 * @slot: the members
 */
struct udp_group_table {
	refcount_t		ref;
	u32			slots;
	u32			members;
	u32			hash_mask;
	u32			hash_seed;
	u64			generation;
	u32			*hash;
	struct udp_group_member	slot[] __counted_by(slots);
};

/* What a send adds to the totals when it is over. */
struct udp_group_totals {
	u64	sends;
	u64	sent;
	u64	failed;
	u64	skipped;
	u64	holes;
	u64	unreached;
	u64	icmp;
};

/**
 * struct udp_group_sock - the group of a socket
 * @group: what the hooks see; first, they free and find it by this
 * @lock: guards @table and @totals, and taking a reference to the table
 * @table: the version in use, NULL while there are no members
 * @generation: number of changes so far; changed under the socket lock
 * @tables: versions alive
 * @totals: what became of the datagrams
 * @rcu: ICMP errors find the group under RCU only
 */
struct udp_group_sock {
	struct udp_group	group;
	spinlock_t		lock;	/* table and totals */
	struct udp_group_table	*table;
	u64			generation;
	atomic_t		tables;
	struct udp_group_totals	totals;
	struct rcu_head		rcu;
};

static inline struct udp_group_sock *udp_group_sock(struct udp_group *group)
{
	return container_of(group, struct udp_group_sock, group);
}

/* The group of a socket in process context, with or without members. */
static inline struct udp_group_sock *udp_group_of_sock(const struct sock *sk)
{
	struct udp_group *group;

	/* Set once and freed with the socket, to which the caller has a ref */
	group = rcu_dereference_check(udp_sk(sk)->group, true);
	return group ? udp_group_sock(group) : NULL;
}

static inline bool udp_group_is_hole(const struct udp_group_member *m)
{
	return m->addr.family == AF_UNSPEC;
}

static inline void udp_group_member_error(struct udp_group_member *m, int err)
{
	/* Pairs with READ_ONCE() in udp_group_stat_member() */
	WRITE_ONCE(m->error, err);
}

/* udp_group_table.c */
struct udp_group_table *udp_group_table_parse(const void *addrs,
					      unsigned int len);
struct udp_group_table *udp_group_table_get(struct udp_group_sock *gs);
void udp_group_table_put(struct udp_group_sock *gs, struct udp_group_table *t);
struct udp_group_member *udp_group_table_find(struct udp_group_table *t,
					      __be32 addr, __be16 port);

/* udp_group_member.c */
int udp_group_set_members(struct sock *sk, sockptr_t optval,
			  unsigned int optlen);
int udp_group_get_members(struct sock *sk, sockptr_t optval, sockptr_t optlen);
void udp_group_free(struct udp_group *group);
extern const struct udp_group_ops udp_group_ops;

/* udp_group_send.c */
int udp_group_sendmsg(struct sock *sk, struct msghdr *msg, size_t len,
		      struct udp_group *group);

/* udp_group_stat.c */
int udp_group_get_stat(struct sock *sk, sockptr_t optval, sockptr_t optlen);
void udp_group_icmp(struct udp_group *group, __be32 daddr, __be16 dport,
		    int err);

#endif /* _UDP_GROUP_IMPL_H */
