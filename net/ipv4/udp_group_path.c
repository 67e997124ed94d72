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

#include <linux/slab.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/sock.h>
#include "udp_group_path.h"

static u32 udp_group_flow_next(u32 nr)
{
	return nr + 1 ?: 1;	/* 0 is no flow */
}

void udp_group_flow_new4(struct udp_group_sock *gs,
			 struct udp_group_flows *flows)
{
	spin_lock_bh(&gs->lock);
	/* Unless another thread has numbered the same flow just now */
	if (udp_group_flow_differs4(&gs->flows.fl4, &flows->fl4)) {
		write_seqcount_begin(&gs->flow_seq);
		gs->flows.fl4 = flows->fl4;
		gs->flows.nr4 = udp_group_flow_next(gs->flows.nr4);
		write_seqcount_end(&gs->flow_seq);
	}
	flows->nr4 = gs->flows.nr4;
	spin_unlock_bh(&gs->lock);
}

void udp_group_flow_new6(struct udp_group_sock *gs,
			 struct udp_group_flows *flows)
{
	spin_lock_bh(&gs->lock);
	/* Unless another thread has numbered the same flow just now */
	if (udp_group_flow_differs6(&gs->flows.fl6, &flows->fl6)) {
		write_seqcount_begin(&gs->flow_seq);
		gs->flows.fl6 = flows->fl6;
		gs->flows.nr6 = udp_group_flow_next(gs->flows.nr6);
		write_seqcount_end(&gs->flow_seq);
	}
	flows->nr6 = gs->flows.nr6;
	spin_unlock_bh(&gs->lock);
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
	/* A route that is made anew for each lookup, as to addresses of the
	 * host's own on other devices than lo, would be one for each member.
	 */
	return rt->dst.output == ip_output && !dst_xfrm(&rt->dst) &&
	       list_empty(&rt->dst.rt_uncached) &&
	       !rt->dst.header_len && !rt->dst.lwtstate &&
	       !(rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST));
}

static struct udp_group_path *
udp_group_path_new(const struct udp_group_found *found, struct dst_entry *dst)
{
	struct udp_group_path *path;

	path = kmalloc(sizeof(*path), GFP_KERNEL_ACCOUNT);
	if (!path)
		return NULL;
	refcount_set(&path->ref, 1);
	path->way = *found;
	path->dst = dst;
	return path;
}

static bool udp_group_path_is(const struct udp_group_path *path,
			      const struct udp_group_found *found,
			      const struct dst_entry *dst)
{
	/* No padding, and words that are not used are 0 */
	return path && path->dst == dst &&
	       !memcmp(&path->way, found, sizeof(*found));
}

/* A path that the group remembers. There are few: whoever looks for one has
 * just looked up a route.
 */
static struct udp_group_path *
udp_group_path_find(const struct udp_group_sock *gs,
		    const struct udp_group_found *found,
		    const struct dst_entry *dst)
{
	int i;

	for (i = 0; i < UDP_GROUP_PATHS; i++)
		if (udp_group_path_is(gs->paths[i], found, dst))
			return gs->paths[i];
	return NULL;
}

/* The path of a route: one that is there already, or this one, which the group
 * then remembers in the place of the oldest. Takes the reference to @dst.
 */
static struct udp_group_path *
udp_group_path_share(struct udp_group_sock *gs,
		     const struct udp_group_found *found,
		     struct dst_entry *dst)
{
	struct udp_group_path *path, *old;

	spin_lock_bh(&gs->lock);
	path = udp_group_path_find(gs, found, dst);
	if (path) {
		refcount_inc(&path->ref);
		spin_unlock_bh(&gs->lock);
		dst_release(dst);
		return path;
	}
	spin_unlock_bh(&gs->lock);

	path = udp_group_path_new(found, dst);
	if (!path) {
		dst_release(dst);
		return NULL;
	}

	refcount_inc(&path->ref);
	spin_lock_bh(&gs->lock);
	old = gs->paths[gs->next_path];
	gs->paths[gs->next_path] = path;
	gs->next_path = (gs->next_path + 1) % UDP_GROUP_PATHS;
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

static struct dst_entry *udp_group_ip4_route(struct sock *sk,
					     const struct flowi4 *flow,
					     const struct udp_group_member *m,
					     struct udp_group_found *found)
{
	__be32 daddr = udp_group_addr_ip4(&m->addr);
	struct flowi4 fl4 = *flow;
	struct rtable *rt;

	/* These have rules of their own in udp_sendmsg() */
	if (!daddr || ipv4_is_multicast(daddr) || ipv4_is_lbcast(daddr) ||
	    (sk->sk_family == AF_INET6 && ipv6_only_sock(sk)))
		return NULL;

	fl4.daddr = daddr;
	fl4.fl4_dport = m->addr.in.sin_port;
	rt = ip_route_output_flow(sock_net(sk), &fl4, sk);
	/* What is wrong the true path will find, and say as sendto() does */
	if (IS_ERR(rt))
		return NULL;
	if (!udp_group_route_is_plain(rt)) {
		ip_rt_put(rt);
		return NULL;
	}
	found->saddr.s6_addr32[3] = fl4.saddr;
	return &rt->dst;
}

static struct udp_group_path *
udp_group_path_lookup(struct udp_group_sock *gs, struct sock *sk,
		      const struct udp_group_flows *flows,
		      struct udp_group_member *m)
{
	struct udp_group_found found = {};
	struct dst_entry *dst;

	if (udp_group_addr_is_ip4(&m->addr)) {
		found.family = AF_INET;
		found.flow = flows->nr4;
	} else {
		found.family = AF_INET6;
		found.flow = flows->nr6;
	}
	/* Before the lookup: what changes meanwhile is looked up once more */
	found.genid = udp_group_genid(sock_net(sk), found.family);

	if (found.family == AF_INET)
		dst = udp_group_ip4_route(sk, &flows->fl4, m, &found);
	else
		dst = udp_group_ip6_route(sk, &flows->fl6, m, &found);
	if (dst)
		found.genid = 0;	/* that is for dst_check() to say */
	return udp_group_path_share(gs, &found, dst);
}

/* Look up the member's path, which is its own from now on. */
struct udp_group_path *
udp_group_path_renew(struct udp_group_sock *gs, struct sock *sk,
		     const struct udp_group_flows *flows,
		     struct udp_group_member *m)
{
	struct udp_group_path *path, *old;

	path = udp_group_path_lookup(gs, sk, flows, m);
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
