/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Group unicast for UDP: which way each member is reached.
 *
 * What a send does for each batch even if nothing has changed is inline.
 */
#ifndef _UDP_GROUP_PATH_H
#define _UDP_GROUP_PATH_H

#include <net/dst.h>
#include <net/flow.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include "udp_group_impl.h"

/* udp_group_path.c */
void udp_group_flow_new4(struct udp_group_sock *gs,
			 struct udp_group_flows *flows);
void udp_group_flow_new6(struct udp_group_sock *gs,
			 struct udp_group_flows *flows);
struct udp_group_path *
udp_group_path_renew(struct udp_group_sock *gs, struct sock *sk,
		     const struct udp_group_flows *flows,
		     struct udp_group_member *m);
void udp_group_path_free(struct udp_group_path *path);
void udp_group_paths_forget(struct udp_group_sock *gs);

static inline bool udp_group_common_differs(const struct flowi_common *a,
					    const struct flowi_common *b)
{
	return a->flowic_oif != b->flowic_oif ||
	       a->flowic_mark != b->flowic_mark ||
	       a->flowic_tos != b->flowic_tos ||
	       a->flowic_scope != b->flowic_scope ||
	       a->flowic_proto != b->flowic_proto ||
	       a->flowic_flags != b->flowic_flags ||
	       a->flowic_secid != b->flowic_secid ||
	       !uid_eq(a->flowic_uid, b->flowic_uid);
}

/* All that a flow has but the destination */
static inline bool udp_group_flow_differs4(const struct flowi4 *a,
					   const struct flowi4 *b)
{
	return udp_group_common_differs(&a->__fl_common, &b->__fl_common) ||
	       a->saddr != b->saddr || a->fl4_sport != b->fl4_sport;
}

static inline bool udp_group_flow_differs6(const struct flowi6 *a,
					   const struct flowi6 *b)
{
	return udp_group_common_differs(&a->__fl_common, &b->__fl_common) ||
	       a->flowlabel != b->flowlabel || a->fl6_sport != b->fl6_sport ||
	       !ipv6_addr_equal(&a->saddr, &b->saddr);
}

/* Number a flow. It is the group's from now on. Most sends have the flow of the
 * one before: they take no lock.
 */
static inline void udp_group_flow_get4(struct udp_group_sock *gs,
				       struct udp_group_flows *flows)
{
	unsigned int seq;
	bool differs;

	do {
		seq = read_seqcount_begin(&gs->flow_seq);
		differs = udp_group_flow_differs4(&gs->flows.fl4, &flows->fl4);
		flows->nr4 = gs->flows.nr4;
	} while (read_seqcount_retry(&gs->flow_seq, seq));
	if (unlikely(differs))
		udp_group_flow_new4(gs, flows);
}

static inline void udp_group_flow_get6(struct udp_group_sock *gs,
				       struct udp_group_flows *flows)
{
	unsigned int seq;
	bool differs;

	do {
		seq = read_seqcount_begin(&gs->flow_seq);
		differs = udp_group_flow_differs6(&gs->flows.fl6, &flows->fl6);
		flows->nr6 = gs->flows.nr6;
	} while (read_seqcount_retry(&gs->flow_seq, seq));
	if (unlikely(differs))
		udp_group_flow_new6(gs, flows);
}

static inline void udp_group_path_put(struct udp_group_path *path)
{
	if (path && refcount_dec_and_test(&path->ref))
		udp_group_path_free(path);
}

static inline int udp_group_genid(const struct net *net, u32 family)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (family == AF_INET6)
		return rt_genid_ipv6(net);
#endif
	return rt_genid_ipv4(net);
}

static inline bool
udp_group_path_is_valid(const struct udp_group_path *path,
			const struct net *net,
			const struct udp_group_flows *flows)
{
	const struct udp_group_found *way = &path->way;

	if (way->flow != (way->family == AF_INET ? flows->nr4 : flows->nr6))
		return false;
	if (!path->dst)
		return way->genid == udp_group_genid(net, way->family);
	return dst_check(path->dst, way->cookie);
}

/**
 * udp_group_path_get - the way to a member now
 * @gs: the group
 * @sk: its socket
 * @flows: what the send looks routes up for, but for the destination
 * @m: the member
 *
 * May sleep. Looks up what the member has no valid path for, and remembers it,
 * also if the finding is that the true path is to be taken: a member without a
 * route costs one lookup here, and not one for each send.
 *
 * Return: the path, with a reference, or NULL if there is no memory.
 */
static __always_inline struct udp_group_path *
udp_group_path_get(struct udp_group_sock *gs, struct sock *sk,
		   const struct udp_group_flows *flows,
		   struct udp_group_member *m)
{
	struct udp_group_path *path;

	rcu_read_lock();
	path = rcu_dereference(m->path);
	if (likely(path && udp_group_path_is_valid(path, sock_net(sk), flows) &&
		   refcount_inc_not_zero(&path->ref))) {
		rcu_read_unlock();
		return path;
	}
	rcu_read_unlock();
	return udp_group_path_renew(gs, sk, flows, m);
}

#endif /* _UDP_GROUP_PATH_H */
