/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Group unicast for UDP: the engine's own structures.
 *
 * A socket has one struct udp_group_sock, from its first group until it is
 * destroyed. What its members are at a moment is a struct udp_group_version,
 * which does not change once it is published: a change of the group makes
 * another. A send takes a reference to the version it finds and goes through
 * with that one, so it sees exactly one version of the group; it may sleep in
 * between, for room in the send buffer, as long as its timeout allows.
 *
 * Locks: the socket lock serialises changes. Inside it, udp_group_sock.reclaim,
 * a mutex, guards what versions leave behind. udp_group_sock.lock, inside both
 * and taken from softirq too, guards the pointer to the version and the index;
 * udp_group_sock.totals_lock, which is not, guards the totals of the sends.
 * What a member counts is atomic, because several sends may be at one version.
 */
#ifndef _UDP_GROUP_IMPL_H
#define _UDP_GROUP_IMPL_H

#include <linux/atomic.h>
#include <linux/ip.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/seqlock.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/udp.h>
#include <net/flow.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/udp_group.h>

/* Versions of one group alive at once: the one in use, and those that sends
 * under way hold. A send can block for ever. Versions that come from each other
 * by joins and leaves have most in common, and are limited only because someone
 * could fork without end; those that replace each other can be megabytes each.
 */
#define UDP_GROUP_MAX_VERSIONS	1024
#define UDP_GROUP_MAX_TREES	16

/* Ways that a group remembers, to give members that share one the same. */
#define UDP_GROUP_PATHS		8

/**
 * struct udp_group_flows - what a route depends on, the destination apart
 * @fl4: for IPv4
 * @fl6: for IPv6
 * @nr4: number of @fl4, 0 if there was none so far
 * @nr6: number of @fl6
 */
struct udp_group_flows {
	struct flowi4		fl4;
	struct flowi6		fl6;
	u32			nr4;
	u32			nr6;
};

/**
 * struct udp_group_path - the way to one or more members
 * @ref: one for each member that has it, one if the group remembers it
 * @way: what was looked up
 * @way.family: AF_INET or AF_INET6
 * @way.flow: number of the flow that it was looked up for
 * @way.genid: generation of the routes at that time, for a path without a route
 * @way.cookie: what dst_check() needs for an IPv6 route
 * @way.saddr: source address, for IPv4 in the last word
 * @dst: route, with a reference; NULL if the fast path has none to there
 * @rcu: members are read under RCU
 *
 * Does not change. What the fast path can use is a unicast route that ends in
 * ip_output() or ip6_output(); for others it is remembered that the true path
 * is to be taken.
 */
struct udp_group_path {
	refcount_t		ref;
	struct udp_group_found {
		u32		family;
		u32		flow;
		int		genid;
		u32		cookie;
		struct in6_addr	saddr;
	} way;
	struct dst_entry	*dst;
	struct rcu_head		rcu;
};

/**
 * struct udp_group_key - what makes an address the same as another
 * @addr: IPv6 address, or IPv4 address mapped to one
 * @scope: interface, for an address that means nothing without
 * @port: port; a word, so that there is no padding
 */
struct udp_group_key {
	struct in6_addr	addr;
	u32		scope;
	u32		port;
};

/**
 * struct udp_group_member - one member
 * @addr: its address
 * @slot: its slot, for life
 * @generation: generation of the version that it came with
 * @next: next one in the same bucket of the index, or in a list of garbage
 * @path: way to it that was used last, or NULL
 * @sent: datagrams taken by the qdisc
 * @failed: datagrams that met an error
 * @skipped: sends that left it out
 * @icmp: ICMP errors that came back
 * @error: last errno, from a send or from ICMP
 * @ident: where its IP identifiers start
 * @hash: hash of its flow, for IPv6: flow labels are made of it
 */
struct udp_group_member {
	union udp_group_addr	addr;
	u32			slot;
	u64			generation;
	struct udp_group_member	*next;
	struct udp_group_path __rcu *path;
	atomic64_t		sent;
	atomic64_t		failed;
	atomic64_t		skipped;
	atomic_t		icmp;
	int			error;
	u16			ident;
	u32			hash;
};

/* udp_group_index.c */
#define UDP_GROUP_SEGMENTS	13

/**
 * struct udp_group_index - members by address
 * @seed: what addresses are hashed with, so that no one can choose many that
 *	meet in one bucket
 * @round: buckets there were when this round of splitting began
 * @split: how many of these have been split
 * @members: how many there are
 * @segment: the buckets
 */
struct udp_group_index {
	u32			seed;
	u32			round;
	u32			split;
	u32			members;
	struct udp_group_member	**segment[UDP_GROUP_SEGMENTS];
};

struct udp_group_index *udp_group_index_alloc(void);
void udp_group_index_free(struct udp_group_index *index);
struct udp_group_member *udp_group_index_find(struct udp_group_index *index,
					      const struct udp_group_key *key);
struct udp_group_member *
udp_group_index_find_heard(struct udp_group_index *index,
			   const struct udp_group_key *key);
bool udp_group_index_reserve(struct udp_group_index *index);
void udp_group_index_insert(struct udp_group_index *index,
			    struct udp_group_member *m, bool grow);
void udp_group_index_remove(struct udp_group_index *index,
			    struct udp_group_member *m);

/* udp_group_version.c */
#define UDP_GROUP_FANOUT	64
#define UDP_GROUP_BRANCHES	(UDP_GROUP_MAX_MEMBERS / \
				 (UDP_GROUP_FANOUT * UDP_GROUP_FANOUT))

/**
 * struct udp_group_node - a leaf, which has members, or a branch with leaves
 * @generation: version that it was made for, 0 if it did not come from another
 * @used: which children there are
 * @full: which of a branch's leaves have no hole
 * @next: next one in a list of garbage
 * @node: a branch's leaves
 * @member: a leaf's members, NULL where there is a hole
 */
struct udp_group_node {
	u64			generation;
	u64			used;
	u64			full;
	struct udp_group_node	*next;
	union {
		struct udp_group_node	*node[UDP_GROUP_FANOUT];
		struct udp_group_member	*member[UDP_GROUP_FANOUT];
	};
};

/**
 * struct udp_group_garbage - what a version has and the one after it has not
 * @nodes: nodes
 * @members: members
 * @trees: versions with all that they consist of
 */
struct udp_group_garbage {
	struct udp_group_node	*nodes;
	struct udp_group_member	*members;
	struct list_head	trees;
};

/**
 * struct udp_group_version - what a group consists of at a moment
 * @ref: one for the group that it is the version of, one for each send
 * @slots: the highest slot that has a member, plus 1
 * @members: members
 * @ip4: those of them that are sent to by IPv4
 * @used: which branches there are
 * @full: which of them have no hole
 * @owns_tree: it was replaced by one that has nothing in common with it: its
 *	nodes and members go with it
 * @generation: as the user sees it
 * @index: members by address, of the versions that come from each other
 * @list: in udp_group_sock.versions, by age; or with an older one's garbage
 * @garbage: see there
 * @rcu: whoever looks for the version in use may meet the last one
 * @branch: the nodes at the top
 */
struct udp_group_version {
	refcount_t			ref;
	u32				slots;
	u32				members;
	u32				ip4;
	unsigned long			used;
	unsigned long			full;
	bool				owns_tree;
	u64				generation;
	struct udp_group_index		*index;
	struct list_head		list;
	struct udp_group_garbage	garbage;
	struct rcu_head			rcu;
	struct udp_group_node		*branch[UDP_GROUP_BRANCHES];
};

/**
 * struct udp_group_edit - a change on its way to be a version
 * @v: the version
 * @is_new_tree: it does not come from the one before
 * @garbage: nodes of the one before that it has copies of
 * @left: members of the one before that it has not; room for these is the
 *	caller's business
 * @nr_left: how many these are
 */
struct udp_group_edit {
	struct udp_group_version	*v;
	bool				is_new_tree;
	struct udp_group_garbage	garbage;
	struct udp_group_member		**left;
	u32				nr_left;
};

/* What the sends of a group came to. */
struct udp_group_totals {
	u64	sends;
	u64	sent;
	u64	failed;
	u64	skipped;
	u64	holes;
	u64	unreached;
};

/**
 * struct udp_group_sock - the group of a socket
 * @group: what the hooks see; first, they free and find it by this
 * @lock: guards changes of @version and @flows, and the version's index, @icmp,
 *	@paths and @next_path
 * @flow_seq: what @flows is read under
 * @version: the version in use, NULL while there are no members
 * @flags: GRP_F_*
 * @generation: number of changes so far; changed under the socket lock
 * @reclaim: guards @versions, and what versions leave behind
 * @versions: those alive, by age
 * @nr_versions: how many these are
 * @trees: how many there are that have nothing in common
 * @totals_lock: guards @totals. In process context only, and nothing is taken
 *	inside: a send needs no more than that.
 * @totals: what became of the datagrams
 * @icmp: ICMP errors that came back
 * @ident: number of sends, what is added to the members' identifiers
 * @flows: what routes are looked up for now
 * @paths: ways that were looked up lately
 * @next_path: where the next one goes
 * @rcu: ICMP errors find the group under RCU only
 */
struct udp_group_sock {
	struct udp_group	group;
	spinlock_t		lock;	/* see above */
	seqcount_spinlock_t	flow_seq;
	struct udp_group_version __rcu *version;
	u32			flags;
	u64			generation;
	struct mutex		reclaim;	/* see above */
	struct list_head	versions;
	atomic_t		nr_versions;
	atomic_t		trees;
	spinlock_t		totals_lock;	/* see above */
	struct udp_group_totals	totals;
	u64			icmp;
	atomic_t		ident;
	struct udp_group_flows	flows;
	struct udp_group_path	*paths[UDP_GROUP_PATHS];
	u32			next_path;
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

/* The version in use, for whoever has locked the socket. */
static inline struct udp_group_version *
udp_group_version_locked(const struct udp_group_sock *gs,
			 const struct sock *sk)
{
	return rcu_dereference_protected(gs->version,
					 lockdep_sock_is_held(sk));
}

/* As long as its family says. */
static inline unsigned int udp_group_addr_len(const union udp_group_addr *addr)
{
	return addr->family == AF_INET ? sizeof(addr->in) : sizeof(addr->in6);
}

/* An IPv4 address, mapped or not, is sent to by IPv4. */
static inline bool udp_group_addr_is_ip4(const union udp_group_addr *addr)
{
	return addr->family == AF_INET ||
	       ipv6_addr_v4mapped(&addr->in6.sin6_addr);
}

static inline __be32 udp_group_addr_ip4(const union udp_group_addr *addr)
{
	if (likely(addr->family == AF_INET))
		return addr->in.sin_addr.s_addr;
	return addr->in6.sin6_addr.s6_addr32[3];
}

/* udp_group_version.c: a leaf without members */
extern const struct udp_group_node udp_group_empty_leaf;

/* The leaf that has a slot. @slot < @v->slots. */
static inline const struct udp_group_node *
udp_group_leaf(const struct udp_group_version *v, u32 slot)
{
	const struct udp_group_node *branch, *leaf = NULL;

	branch = v->branch[slot / (UDP_GROUP_FANOUT * UDP_GROUP_FANOUT)];
	if (likely(branch))
		leaf = branch->node[slot / UDP_GROUP_FANOUT % UDP_GROUP_FANOUT];
	return likely(leaf) ? leaf : &udp_group_empty_leaf;
}

/* The member that has a slot, NULL if it is a hole. */
static inline struct udp_group_member *
udp_group_member_at(const struct udp_group_version *v, u32 slot)
{
	return udp_group_leaf(v, slot)->member[slot % UDP_GROUP_FANOUT];
}

static inline void udp_group_member_error(struct udp_group_member *m, int err)
{
	/* Pairs with READ_ONCE() in udp_group_stat_member() */
	WRITE_ONCE(m->error, err);
}

/* udp_group_addr.c */
void udp_group_key_init4(struct udp_group_key *key, __be32 addr, __be16 port);
void udp_group_key_init6(struct udp_group_key *key, const struct in6_addr *addr,
			 __be16 port, u32 scope);
void udp_group_key_init(struct udp_group_key *key,
			const union udp_group_addr *addr);
int udp_group_addr_parse(union udp_group_addr *addr, const void *from,
			 unsigned int left, sa_family_t family);
int udp_group_addr_count(const void *addrs, unsigned int len,
			 sa_family_t family);

/* udp_group_version.c */
int udp_group_version_init(void);
void udp_group_version_exit(void);
void udp_group_versions_init(struct udp_group_sock *gs);
struct udp_group_member *udp_group_member_alloc(void);
void udp_group_member_free(struct udp_group_member *m);
void udp_group_version_release(struct udp_group_sock *gs,
			       struct udp_group_version *v);
int udp_group_edit_begin(struct udp_group_edit *edit,
			 const struct udp_group_version *old);
int udp_group_edit_add(struct udp_group_edit *edit, struct udp_group_member *m);
int udp_group_edit_remove(struct udp_group_edit *edit,
			  const struct udp_group_member *m);
void udp_group_edit_abort(struct udp_group_sock *gs,
			  struct udp_group_edit *edit);
void udp_group_publish(struct udp_group_sock *gs, struct udp_group_edit *edit);

/* The version in use, with a reference; NULL if there are no members. */
static inline struct udp_group_version *
udp_group_version_get(struct udp_group_sock *gs)
{
	struct udp_group_version *v;

	rcu_read_lock();
	/* Pairs with rcu_replace_pointer() in udp_group_publish(). One that is
	 * let go of has been replaced before.
	 */
	do
		v = rcu_dereference(gs->version);
	while (v && unlikely(!refcount_inc_not_zero(&v->ref)));
	rcu_read_unlock();
	return v;
}

/* In process context. */
static inline void udp_group_version_put(struct udp_group_sock *gs,
					 struct udp_group_version *v)
{
	if (refcount_dec_and_test(&v->ref))
		udp_group_version_release(gs, v);
}

/* udp_group_member.c */
int udp_group_set_members(struct sock *sk, sockptr_t optval,
			  unsigned int optlen);
int udp_group_change_members(struct sock *sk, int optname, sockptr_t optval,
			     unsigned int optlen);
int udp_group_get_members(struct sock *sk, sockptr_t optval, sockptr_t optlen);
int udp_group_set_flags(struct sock *sk, sockptr_t optval, unsigned int optlen);
int udp_group_get_flags(struct sock *sk, sockptr_t optval, sockptr_t optlen);
void udp_group_free(struct udp_group *group);
extern const struct udp_group_ops udp_group_ops;

/**
 * struct udp_group_cmsg - control messages that are the group's own
 * @has: bit for each kind that was there, see udp_group_cmsg.c
 * @range: value of UDP_GRP_RANGE, or zeros
 * @private: value of UDP_GRP_PRIVATE, or zeros
 * @spread: value of UDP_GRP_SPREAD, or 0
 * @skip_keys: addresses of UDP_GRP_SKIP
 * @skip: their slots, ascending, and U32_MAX behind them; once it is known
 *	which version they are of
 * @nr_skip: how many
 * @rest: copy of the other control messages, if there are any, with room for
 *	the departure time of a member behind them
 * @txtime: that
 * @user_control: what the message came with, put back at the end
 * @user_controllen: length of that
 */
struct udp_group_cmsg {
	unsigned long		has;
	struct udp_grp_range	range;
	struct udp_grp_private	private;
	u64			spread;
	union {
		struct udp_group_key	*skip_keys;
		u32			*skip;
	};
	u32			nr_skip;
	void			*rest;
	u64			*txtime;
	void			*user_control;
	size_t			user_controllen;
};

/* What became of the datagrams of a send, which goes into the totals. */
struct udp_group_sum {
	u32	sent;
	u32	failed;
	u32	skipped;
	u32	holes;
	u32	unreached;
};

/**
 * struct udp_group_send - one send
 * @sk: socket
 * @msg: message
 * @data: its data, from the start
 * @len: length of the datagrams' data
 * @timeo: how long it may wait
 * @deadline: when that is over
 * @gs: the group
 * @v: the version of it that this send is for
 * @cmsg: control messages that are the group's own, or NULL
 * @counts: it returns how many slots it passed
 * @err4: what is wrong with the message for members sent to by IPv4
 * @err6: the same for IPv6
 * @first: first slot that it is for
 * @end: slot after the last one
 * @members: members in between
 * @next_skip: next slot to be left out, U32_MAX if there is none
 * @private_len: bytes of @len that are each member's own
 * @scratch: on the true path, the datagram of a member that has such
 * @depart: when the first slot's datagram departs, 0 if they are not spread
 * @sum: what became of the datagrams so far
 * @fast: datagrams that took the fast path
 */
struct udp_group_send {
	struct sock			*sk;
	struct msghdr			*msg;
	struct iov_iter			data;
	size_t				len;
	long				timeo;
	unsigned long			deadline;
	struct udp_group_sock		*gs;
	struct udp_group_version	*v;
	struct udp_group_cmsg		*cmsg;
	bool				counts;
	int				err4;
	int				err6;
	u32				first;
	u32				end;
	u32				members;
	u32				next_skip;
	u32				private_len;
	void				*scratch;
	u64				depart;
	struct udp_group_sum		sum;
	u32				fast;
};

/* udp_group_cmsg.c */
int udp_group_cmsg_read(struct udp_group_send *s);
int udp_group_cmsg_apply(struct udp_group_send *s);
void udp_group_cmsg_end(struct udp_group_send *s);
u64 udp_group_departure(const struct udp_group_send *s, u32 slot);

/* udp_group_send.c */
int udp_group_sendmsg(struct sock *sk, struct msghdr *msg, size_t len,
		      struct udp_group *group);
void udp_group_pass_nobody(struct udp_group_send *s,
			   struct udp_group_member *m);
void udp_group_count(struct udp_group_send *s, struct udp_group_member *m,
		     int err);
int udp_group_send_left(struct udp_group_send *s, struct udp_group_member *m);

/* Is a slot one that nothing is sent for? */
static inline bool udp_group_is_nobody(const struct udp_group_send *s, u32 slot,
				       const struct udp_group_member *m)
{
	return unlikely(!m || slot == s->next_skip);
}

/* udp_group_ip6.c */
#if IS_ENABLED(CONFIG_IPV6)
int udp_group_ip6_check_cmsg(struct sock *sk, struct msghdr *msg,
			     struct sockcm_cookie *sockc);
void udp_group_ip6_local_error(struct sock *sk, int err,
			       const struct sockaddr_in6 *sin6);
struct dst_entry *udp_group_ip6_route(struct sock *sk,
				      const struct flowi6 *flow,
				      struct udp_group_member *m,
				      struct udp_group_found *found);
#else
static inline int udp_group_ip6_check_cmsg(struct sock *sk, struct msghdr *msg,
					   struct sockcm_cookie *sockc)
{
	return -EAFNOSUPPORT;
}

static inline void udp_group_ip6_local_error(struct sock *sk, int err,
					     const struct sockaddr_in6 *sin6)
{
}

static inline struct dst_entry *
udp_group_ip6_route(struct sock *sk, const struct flowi6 *flow,
		    struct udp_group_member *m, struct udp_group_found *found)
{
	return NULL;
}
#endif

/* udp_group_fast.c */
struct udp_group_fast;
struct udp_group_fast *udp_group_fast_begin(struct udp_group_send *s,
					    struct ipcm_cookie *ipc);
u32 udp_group_fast_send(struct udp_group_fast *f, u32 slot);
void udp_group_fast_end(struct udp_group_fast *f);
void udp_group_fast_exit(void);

/* udp_group_room.c */
bool udp_group_has_room_for(const struct sock *sk, u32 members, size_t len);
u32 udp_group_reserve_less(struct sock *sk, int sndbuf, int used, u32 n,
			   u32 truesize);
void udp_group_unreserve(struct sock *sk, u32 n, u32 truesize);
int udp_group_get_ready(struct sock *sk, long timeo, unsigned long deadline);

static inline bool udp_group_has_room(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk) < READ_ONCE(sk->sk_sndbuf);
}

/* How many of @n datagrams fit, if the last may exceed the buffer. */
static inline u32 udp_group_room_for(int sndbuf, int used, u32 n,
				     u32 truesize)
{
	/* No division, if that is not needed */
	if (likely(used + n * truesize < sndbuf))
		return n;
	if (used >= sndbuf)
		return 0;
	return min(n, DIV_ROUND_UP(sndbuf - used, truesize));
}

/**
 * udp_group_reserve - charge datagrams to the socket before they are made
 * @sk: the socket
 * @n: how many
 * @truesize: what each is charged with
 *
 * As many as a sender would that asks before each one: the last may exceed the
 * buffer. What is not needed is given back with udp_group_unreserve().
 *
 * Return: how many were charged.
 */
static inline u32 udp_group_reserve(struct sock *sk, u32 n, u32 truesize)
{
	int used, before = sk_wmem_alloc_get(sk);
	int sndbuf = READ_ONCE(sk->sk_sndbuf);

	n = udp_group_room_for(sndbuf, before, n, truesize);
	if (!n)
		return 0;

	__refcount_add(n * truesize, &sk->sk_wmem_alloc, &used);
	used--;		/* the socket's own */
	if (likely(used <= before))
		return n;
	return udp_group_reserve_less(sk, sndbuf, used, n, truesize);
}

/* Wait until a send can go on, 0, or cannot, an errno. */
static inline int udp_group_wait_until_ready(struct sock *sk, long timeo,
					     unsigned long deadline)
{
	if (likely(!READ_ONCE(sk->sk_err) && !READ_ONCE(sk->sk_shutdown) &&
		   udp_group_has_room(sk)))
		return 0;
	return udp_group_get_ready(sk, timeo, deadline);
}

/* udp_group_stat.c */
int udp_group_get_stat(struct sock *sk, sockptr_t optval, sockptr_t optlen);
void udp_group_icmp(struct udp_group *group, const struct in6_addr *daddr,
		    __be16 dport, int ifindex, int err);

#endif /* _UDP_GROUP_IMPL_H */
