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
#include <linux/ip.h>
#include <linux/refcount.h>
#include <linux/seqlock.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/udp.h>
#include <net/flow.h>
#include <net/ip.h>
#include <net/udp_group.h>

/* Tables of one group alive at once: the one in use, and those that sends
 * under way hold. Each can be megabytes, and a send can block for ever.
 */
#define UDP_GROUP_MAX_TABLES	16

/* Ways that a group remembers, to give members that share one the same. */
#define UDP_GROUP_PATHS		8

/**
 * struct udp_group_path - the way to one or more members
 * @ref: one for each member that has it, one if the group remembers it
 * @flow: flow that it was looked up for
 * @genid: generation of the routes at that time, for a path without a route
 * @saddr: source address
 * @dst: route, with a reference; NULL if the fast path has none to there
 * @rcu: members are read under RCU
 *
 * Does not change. What the fast path can use is a unicast route that ends in
 * ip_output(); for others it is remembered that the true path is to be taken.
 */
struct udp_group_path {
	refcount_t		ref;
	u32			flow;
	int			genid;
	__be32			saddr;
	struct dst_entry	*dst;
	struct rcu_head		rcu;
};

/**
 * struct udp_group_member - one slot of a table
 * @addr: address; family AF_UNSPEC marks a hole
 * @next: slot + 1 of the next member in the same hash bucket, 0 at the end
 * @path: way to it that was used last, or NULL
 * @ident: where its IP identifiers start
 * @error: last errno, from a send or from ICMP
 * @icmp: ICMP errors that came back
 * @sent: datagrams taken by the qdisc
 * @failed: datagrams that met an error
 */
struct udp_group_member {
	union udp_group_addr	addr;
	u32			next;
	struct udp_group_path __rcu *path;
	u16			ident;
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
 * @rcu: whoever looks for the version in use may meet the last one
 * @hash: slot + 1 of the first member in each bucket, 0 if it is empty;
 *	behind the slots, in the same allocation
 * @slot: the members; they go with the last reference, and do not wait for RCU
 */
struct udp_group_table {
	refcount_t		ref;
	u32			slots;
	u32			members;
	u32			hash_mask;
	u32			hash_seed;
	u64			generation;
	struct rcu_head		rcu;
	u32			*hash;
	struct udp_group_member	*slot;
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
 * @lock: guards changes of @table, @fl4 and @flow, and @totals and @paths
 * @flow_seq: what @fl4 and @flow are read under
 * @table: the version in use, NULL while there are no members
 * @generation: number of changes so far; changed under the socket lock
 * @tables: versions alive
 * @totals: what became of the datagrams
 * @ident: number of sends, what is added to the members' identifiers
 * @fl4: what routes are looked up for now, destination apart
 * @flow: number of that flow, 0 if there was none so far
 * @paths: ways that were looked up lately
 * @rcu: ICMP errors find the group under RCU only
 */
struct udp_group_sock {
	struct udp_group	group;
	spinlock_t		lock;	/* see above */
	seqcount_spinlock_t	flow_seq;
	struct udp_group_table __rcu *table;
	u64			generation;
	atomic_t		tables;
	struct udp_group_totals	totals;
	atomic_t		ident;
	struct flowi4		fl4;
	u32			flow;
	struct udp_group_path	*paths[UDP_GROUP_PATHS];
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
struct udp_group_table *udp_group_table_swap(struct udp_group_sock *gs,
					     struct udp_group_table *t);
void udp_group_table_free(struct udp_group_table *t);
struct udp_group_member *udp_group_table_find(struct udp_group_table *t,
					      __be32 addr, __be16 port);

/* udp_group_member.c */
int udp_group_set_members(struct sock *sk, sockptr_t optval,
			  unsigned int optlen);
int udp_group_get_members(struct sock *sk, sockptr_t optval, sockptr_t optlen);
void udp_group_free(struct udp_group *group);
extern const struct udp_group_ops udp_group_ops;

/**
 * struct udp_group_send - one send
 * @sk: socket
 * @msg: message
 * @data: its data, from the start
 * @len: their length
 * @timeo: how long it may still wait
 * @gs: the group
 * @t: the version of it that this send is for
 * @sum: what became of the datagrams so far
 * @fast: datagrams that took the fast path
 */
struct udp_group_send {
	struct sock			*sk;
	struct msghdr			*msg;
	struct iov_iter			data;
	size_t				len;
	long				timeo;
	struct udp_group_sock		*gs;
	struct udp_group_table		*t;
	struct udp_group_totals		sum;
	u32				fast;
};

struct udp_group_headers {
	struct iphdr	ip;
	struct udphdr	udp;
} __packed __aligned(4);

/* Data that are longer are never copied: no small head has room for them. What
 * is copied is copied in steps: behind it there must be room for the rest of
 * one.
 */
#define UDP_GROUP_COPY_STEP	64
#define UDP_GROUP_COPY_MAX	(384 - sizeof(struct udp_group_headers))

/**
 * struct udp_group_payload - what goes into all datagrams of a send
 * @len: length of the data
 * @is_summed: @csum is there
 * @csum: sum of the data
 * @nr_frags: number of @frags, 0 if the data are copied
 * @linear_len: length of @linear, or of the headers alone
 * @linear: what each datagram has a copy of
 * @linear.headers: headers, but for what is the member's
 * @linear.data: the data, unless they are in @frags
 * @frags: the data, in pages that datagrams share
 */
struct udp_group_payload {
	size_t				len;
	bool				is_summed;
	__wsum				csum;
	unsigned int			nr_frags;
	unsigned int			linear_len;
	struct {
		struct udp_group_headers headers;
		char			data[UDP_GROUP_COPY_MAX];
	} linear;
	skb_frag_t			frags[MAX_SKB_FRAGS];
};

/* udp_group_payload.c */
int udp_group_payload_init(struct udp_group_payload *p, struct sock *sk,
			   struct iov_iter *from, size_t len, size_t room);
void udp_group_payload_free(struct udp_group_payload *p);
__wsum udp_group_payload_csum(struct udp_group_payload *p);
void udp_group_payload_hold(struct udp_group_payload *p, unsigned int n);
void udp_group_payload_unhold(struct udp_group_payload *p, unsigned int n);
void udp_group_payload_share(const struct udp_group_payload *p,
			     struct sk_buff *skb);

/* udp_group_send.c */
int udp_group_sendmsg(struct sock *sk, struct msghdr *msg, size_t len,
		      struct udp_group *group);
void udp_group_count(struct udp_group_send *s, struct udp_group_member *m,
		     int err);
int udp_group_send_true(struct udp_group_send *s, struct udp_group_member *m);

/* udp_group_fast.c */
struct udp_group_fast;
struct udp_group_fast *udp_group_fast_begin(struct udp_group_send *s,
					    const struct ipcm_cookie *ipc);
u32 udp_group_fast_send(struct udp_group_fast *f, u32 slot);
void udp_group_fast_end(struct udp_group_fast *f);
void udp_group_fast_exit(void);

/* udp_group_path.c */
u32 udp_group_flow_get(struct udp_group_sock *gs, const struct flowi4 *fl4);
struct udp_group_path *udp_group_path_get(struct udp_group_sock *gs,
					  struct sock *sk,
					  const struct flowi4 *fl4, u32 flow,
					  struct udp_group_member *m);
void udp_group_path_free(struct udp_group_path *path);
void udp_group_paths_forget(struct udp_group_sock *gs);

static inline void udp_group_path_put(struct udp_group_path *path)
{
	if (path && refcount_dec_and_test(&path->ref))
		udp_group_path_free(path);
}

/* udp_group_room.c */
bool udp_group_has_room(const struct sock *sk);
bool udp_group_has_room_for(const struct sock *sk, u32 members, size_t len);
u32 udp_group_reserve(struct sock *sk, u32 n, u32 truesize);
void udp_group_unreserve(struct sock *sk, u32 n, u32 truesize);
int udp_group_wait_until_ready(struct sock *sk, long *timeo);

/* udp_group_stat.c */
int udp_group_get_stat(struct sock *sk, sockptr_t optval, sockptr_t optlen);
void udp_group_icmp(struct udp_group *group, __be32 daddr, __be16 dport,
		    int err);

#endif /* _UDP_GROUP_IMPL_H */
