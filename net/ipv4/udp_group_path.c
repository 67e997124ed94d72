// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: which way each member is reached.
 *
 * What a route lookup depends on, the destination apart, is the same for all
 * members of a send: the flow. The group numbers its flows, and a path carries
 * the number of the one that it was looked up for. So whatever changes with
 * SO_MARK, IP_TOS, bind() or a control message, members are looked up again,
 * once; and what changes in the routing, dst_check() tells.
 *
 * Members that leave by the same route and with the same source address, which
 * is most of them or all, share one path. So a send has little to check for a
 * member that has the path of the one before.
 */

#include <linux/hash.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/sock.h>
#include "udp_group_impl.h"

/* All that udp_group_init_flow() sets */
static bool udp_group_flow_differs(const struct flowi4 *a,
				   const struct flowi4 *b)
{
	return a->flowi4_oif != b->flowi4_oif ||
	       a->flowi4_mark != b->flowi4_mark ||
	       a->flowi4_tos != b->flowi4_tos ||
	       a->flowi4_scope != b->flowi4_scope ||
	       a->flowi4_proto != b->flowi4_proto ||
	       a->flowi4_flags != b->flowi4_flags ||
	       a->flowi4_secid != b->flowi4_secid ||
	       !uid_eq(a->flowi4_uid, b->flowi4_uid) ||
	       a->saddr != b->saddr || a->fl4_sport != b->fl4_sport;
}

/* The number that a flow has, 0 if it is not the group's last one. Most sends
 * have the flow of the one before: they take no lock.
 */
static u32 udp_group_flow_find(struct udp_group_sock *gs,
			       const struct flowi4 *fl4)
{
	unsigned int seq;
	u32 flow;

	do {
		seq = read_seqcount_begin(&gs->flow_seq);
		flow = udp_group_flow_differs(&gs->fl4, fl4) ? 0 : gs->flow;
	} while (read_seqcount_retry(&gs->flow_seq, seq));
	return flow;
}

static noinline u32 udp_group_flow_new(struct udp_group_sock *gs,
				       const struct flowi4 *fl4)
{
	u32 flow;

	spin_lock_bh(&gs->lock);
	write_seqcount_begin(&gs->flow_seq);
	gs->fl4 = *fl4;
	flow = gs->flow + 1 ?: 1;	/* 0 is no flow */
	gs->flow = flow;
	write_seqcount_end(&gs->flow_seq);
	spin_unlock_bh(&gs->lock);
	return flow;
}

/* The number of a flow. It is the group's from now on. */
u32 udp_group_flow_get(struct udp_group_sock *gs, const struct flowi4 *fl4)
{
	return udp_group_flow_find(gs, fl4) ?: udp_group_flow_new(gs, fl4);
}

void udp_group_path_free(struct udp_group_path *path)
{
	/* Readers under RCU use the route without a reference: it lives as
	 * long as they do, by itself.
	 */
	dst_release(path->dst);
	kfree_rcu(path, rcu);
}

/* Can datagrams be built for it as the fast path does? */
static bool udp_group_route_is_plain(const struct rtable *rt)
{
	return rt->dst.output == ip_output && !dst_xfrm(&rt->dst) &&
	       !rt->dst.header_len && !rt->dst.lwtstate &&
	       !(rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST));
}

static struct udp_group_path *udp_group_path_new(struct net *net, u32 flow,
						 struct dst_entry *dst,
						 __be32 saddr)
{
	struct udp_group_path *path;

	path = kmalloc(sizeof(*path), GFP_KERNEL_ACCOUNT);
	if (!path)
		return NULL;
	refcount_set(&path->ref, 1);
	path->flow = flow;
	path->genid = rt_genid_ipv4(net);
	path->saddr = saddr;
	path->dst = dst;
	return path;
}

static bool udp_group_path_is(const struct udp_group_path *path, u32 flow,
			      int genid, const struct dst_entry *dst,
			      __be32 saddr)
{
	return path && path->flow == flow && path->dst == dst &&
	       path->saddr == saddr && (dst || path->genid == genid);
}

/* The path of a route: one that is there already, or this one, which the group
 * then remembers in the place of another. Takes the reference to @dst.
 */
static struct udp_group_path *udp_group_path_share(struct udp_group_sock *gs,
						   struct net *net, u32 flow,
						   struct dst_entry *dst,
						   __be32 saddr)
{
	struct udp_group_path **slot, *path, *old;
	int genid = rt_genid_ipv4(net);

	slot = &gs->paths[hash_ptr(dst, ilog2(UDP_GROUP_PATHS))];

	spin_lock_bh(&gs->lock);
	path = *slot;
	if (udp_group_path_is(path, flow, genid, dst, saddr)) {
		refcount_inc(&path->ref);
		spin_unlock_bh(&gs->lock);
		dst_release(dst);
		return path;
	}
	spin_unlock_bh(&gs->lock);

	path = udp_group_path_new(net, flow, dst, saddr);
	if (!path) {
		dst_release(dst);
		return NULL;
	}

	refcount_inc(&path->ref);
	spin_lock_bh(&gs->lock);
	old = *slot;
	*slot = path;
	spin_unlock_bh(&gs->lock);
	udp_group_path_put(old);
	return path;
}

/* What a group remembers that is dissolved holds routes for nobody. */
void udp_group_paths_forget(struct udp_group_sock *gs)
{
	struct udp_group_path *paths[UDP_GROUP_PATHS];
	int i;

	spin_lock_bh(&gs->lock);
	memcpy(paths, gs->paths, sizeof(paths));
	memset(gs->paths, 0, sizeof(gs->paths));
	spin_unlock_bh(&gs->lock);

	for (i = 0; i < UDP_GROUP_PATHS; i++)
		udp_group_path_put(paths[i]);
}

static struct udp_group_path *udp_group_path_lookup(struct udp_group_sock *gs,
						    struct sock *sk,
						    const struct flowi4 *flow4,
						    u32 flow, __be32 daddr,
						    __be16 dport)
{
	struct net *net = sock_net(sk);
	struct dst_entry *dst = NULL;
	struct flowi4 fl4 = *flow4;
	struct rtable *rt;

	/* These have rules of their own in udp_sendmsg() */
	if (!daddr || ipv4_is_multicast(daddr) || ipv4_is_lbcast(daddr))
		goto share;

	fl4.daddr = daddr;
	fl4.fl4_dport = dport;
	rt = ip_route_output_flow(net, &fl4, sk);
	/* What is wrong the true path will find, and say as sendto() does */
	if (IS_ERR(rt))
		goto share;
	if (udp_group_route_is_plain(rt))
		dst = &rt->dst;
	else
		ip_rt_put(rt);
share:
	return udp_group_path_share(gs, net, flow, dst, dst ? fl4.saddr : 0);
}

static bool udp_group_path_is_valid(const struct udp_group_path *path,
				    struct net *net, u32 flow)
{
	if (path->flow != flow)
		return false;
	if (!path->dst)
		return path->genid == rt_genid_ipv4(net);
	return dst_check(path->dst, 0);
}

/* Look up the member's path, which is its own from now on. */
static noinline struct udp_group_path *
udp_group_path_renew(struct udp_group_sock *gs, struct sock *sk,
		     const struct flowi4 *fl4, u32 flow,
		     struct udp_group_member *m)
{
	struct udp_group_path *path, *old;

	path = udp_group_path_lookup(gs, sk, fl4, flow,
				     m->addr.in.sin_addr.s_addr,
				     m->addr.in.sin_port);
	if (!path)
		return NULL;

	refcount_inc(&path->ref);
	/* Pairs with rcu_dereference() in udp_group_path_get() and in
	 * udp_group_fast_member()
	 */
	old = unrcu_pointer(xchg(&m->path, RCU_INITIALIZER(path)));
	udp_group_path_put(old);
	return path;
}

/**
 * udp_group_path_get - the way to a member now
 * @gs: the group
 * @sk: its socket
 * @fl4: what the send looks routes up for, but for the destination
 * @flow: number of that flow
 * @m: the member
 *
 * May sleep. Looks up what the member has no valid path for, and remembers it,
 * also if the finding is that the true path is to be taken: a member without a
 * route costs one lookup here, and not one for each send.
 *
 * Return: the path, with a reference, or NULL if there is no memory.
 */
struct udp_group_path *udp_group_path_get(struct udp_group_sock *gs,
					  struct sock *sk,
					  const struct flowi4 *fl4, u32 flow,
					  struct udp_group_member *m)
{
	struct udp_group_path *path;

	rcu_read_lock();
	path = rcu_dereference(m->path);
	if (likely(path && udp_group_path_is_valid(path, sock_net(sk), flow) &&
		   refcount_inc_not_zero(&path->ref))) {
		rcu_read_unlock();
		return path;
	}
	rcu_read_unlock();
	return udp_group_path_renew(gs, sk, fl4, flow, m);
}
