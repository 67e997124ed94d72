// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: datagrams of a batch, made and sent.
 *
 * With bottom halves off, for the members that udp_group_fast_send() collected.
 */

#include <net/arp.h>
#include <net/checksum.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/udp.h>
#include "udp_group_fast.h"

/* The router of a path, and whether datagrams can be handed to it directly. */
static void udp_group_way_init_neigh(struct udp_group_way *way,
				     const struct net *net)
{
	struct rtable *rt = dst_rtable(way->dst);
	struct net_device *dev = way->dev;

	way->neigh = NULL;
	way->is_v6gw = false;
	way->is_direct = udp_group_is_unhooked(net, dev, false);
	if (!way->is_direct)
		return;

	if (rt->rt_gw_family == AF_INET) {
		way->neigh = ip_neigh_gw4(dev, rt->rt_gw4);
	} else if (rt->rt_gw_family == AF_INET6) {
		way->neigh = ip_neigh_gw6(dev, &rt->rt_gw6);
		way->is_v6gw = true;
	}
	/* That this cannot be is for ip_output() to say */
	if (IS_ERR(way->neigh))
		way->is_direct = false;
}

static void udp_group_ip4_init_headers(const struct udp_group_fast *f,
				       struct udp_group_way *way)
{
	const struct sock *sk = f->sk;
	const struct inet_sock *inet = inet_sk(sk);
	unsigned int len = sizeof(struct udphdr) + f->s->len;
	struct iphdr *iph = &way->headers.ip4.ip;
	struct udphdr *uh = &way->headers.ip4.udp;

	iph->version = 4;
	iph->ihl = 5;
	iph->tos = f->ipc->tos != -1 ? f->ipc->tos : READ_ONCE(inet->tos);
	iph->tot_len = htons(sizeof(*iph) + len);
	iph->id = 0;
	iph->frag_off = 0;
	iph->protocol = sk->sk_protocol;
	iph->check = 0;
	iph->saddr = way->path->way.saddr.s6_addr32[3];
	iph->daddr = 0;
	uh->source = inet->inet_sport;
	uh->dest = 0;
	uh->len = htons(len);
	uh->check = 0;
}

/* The sum of a header that has no options, nor a destination yet. */
static __wsum udp_group_ip4_header_sum(const struct iphdr *iph)
{
	const __wsum *word = (const __wsum *)iph;

	return csum_add(csum_add(word[0], word[1]),
			csum_add(word[2], (__force __wsum)iph->saddr));
}

static void udp_group_ip4_way_init(struct udp_group_fast *f,
				   struct udp_group_way *way)
{
	struct iphdr *iph = &way->headers.ip4.ip;
	struct sock *sk = f->sk;
	struct inet_sock *inet = inet_sk(sk);
	u8 pmtudisc = READ_ONCE(inet->pmtudisc);
	int ttl;

	udp_group_ip4_init_headers(f, way);

	ttl = f->ipc->ttl ?: READ_ONCE(inet->uc_ttl);
	iph->ttl = ttl < 0 ? ip4_dst_hoplimit(way->dst) : ttl;

	/* That it is no longer than the route's MTU, where that matters, has
	 * been seen in udp_group_fits().
	 */
	if (pmtudisc == IP_PMTUDISC_PROBE || ip_dont_fragment(sk, way->dst))
		iph->frag_off = htons(IP_DF);
	/* See ip_select_ident_segs() */
	way->has_ident = !iph->frag_off || f->ignore_df;

	if (sk->sk_no_check_tx)
		way->csum = CHECKSUM_NONE;
	else if (way->dev->features & (NETIF_F_HW_CSUM | NETIF_F_IP_CSUM))
		way->csum = CHECKSUM_PARTIAL;
	else
		way->csum = CHECKSUM_COMPLETE;

	udp_group_way_init_neigh(way, sock_net(sk));
	way->ip_sum = udp_group_ip4_header_sum(iph);
	way->pseudo_sum = csum_tcpudp_nofold(iph->saddr, 0,
					     sizeof(struct udphdr) + f->s->len,
					     IPPROTO_UDP, 0);
}

static noinline bool udp_group_way_init(struct udp_group_fast *f,
					struct udp_group_way *way,
					const struct udp_group_path *path)
{
	const struct udp_group_flows *flows = &f->flows;

	way->path = NULL;
	if (!path)
		return false;
	/* What was not looked at in this batch has to be looked at */
	if (path != f->path && path != f->other &&
	    (!path->dst ||
	     path->way.flow != (path->way.family == AF_INET ? flows->nr4 :
							      flows->nr6) ||
	     !udp_group_fits(f, path)))
		return false;

	way->dst = path->dst;
	way->dev = READ_ONCE(way->dst->dev);
	way->hh_len = LL_RESERVED_SPACE(way->dev);
	/* A tunnel may have come to need more since udp_group_fits(), and what
	 * is put into the head from here on is not checked.
	 */
	if (unlikely(way->hh_len > f->headroom))
		return false;
	way->path = path;
	if (likely(path->way.family == AF_INET))
		udp_group_ip4_way_init(f, way);
	else
		udp_group_ip6_way_init(f, way);
	return true;
}

/* Make the way of a path the last one; false if it cannot be taken here. */
static noinline bool udp_group_change_way(struct udp_group_fast *f,
					  const struct udp_group_path *path)
{
	/* The other one, unless there is none yet */
	if (f->way->path)
		f->way = f->way == f->ways ? f->ways + 1 : f->ways;
	if (path && f->way->path == path)
		return true;
	return udp_group_way_init(f, f->way, path);
}

/* The sum of a datagram that the device does not make: of the data, and of the
 * UDP header, behind which is what is the member's own.
 */
__wsum udp_group_sum(struct udp_group_fast *f, const struct udphdr *uh)
{
	__wsum sum = udp_group_payload_csum(&f->payload);
	unsigned int own = f->s->private_len;

	if (unlikely(own))
		sum = csum_block_add(csum_partial(uh + 1, own, 0), sum, own);
	return csum_partial(uh, sizeof(*uh), sum);
}

/* Headers, what is the member's own, and what is shared and fits behind it. */
void *udp_group_put_private(const struct udp_group_fast *f,
			    const struct udp_group_way *way, u32 i,
			    struct sk_buff *skb, unsigned int headers_len)
{
	const struct udp_group_payload *p = &f->payload;
	unsigned int own = f->s->private_len;
	void *to;

	to = skb_put_data(skb, &way->headers, headers_len);
	skb_put_data(skb, f->prefixes + (size_t)own * i, own);
	skb_put_data(skb, p->data, p->copied);
	return to;
}

static void udp_group_set_departure(const struct udp_group_fast *f,
				    const struct udp_group_member *m,
				    struct sk_buff *skb)
{
	const struct udp_group_send *s = f->s;
	u64 at = f->ipc->sockc.transmit_time;

	if (s->depart)
		at = udp_group_departure(s, m->slot);
	skb_set_delivery_type_by_clockid(skb, at, s->sk->sk_clockid);
}

/* What not all datagrams have */
void udp_group_add_extras(const struct udp_group_fast *f,
			  const struct udp_group_member *m,
			  struct sk_buff *skb)
{
	if (f->payload.nr_frags)
		udp_group_payload_share(&f->payload, skb);
	if (f->s->depart || f->ipc->sockc.transmit_time)
		udp_group_set_departure(f, m, skb);
}

static void udp_group_ip4_sum(struct udp_group_fast *f,
			      struct udp_group_headers *h, __be32 daddr)
{
	__wsum sum = udp_group_sum(f, &h->udp);

	h->udp.check = csum_tcpudp_magic(h->ip.saddr, daddr,
					 sizeof(h->udp) + f->s->len,
					 IPPROTO_UDP, sum);
	if (!h->udp.check)
		h->udp.check = CSUM_MANGLED_0;
}

/* What __ip_make_skb() and udp_send_skb() do for a datagram in one piece. It is
 * number @i of the batch.
 */
static void udp_group_build(struct udp_group_fast *f,
			    const struct udp_group_way *way,
			    const struct udp_group_member *m, u32 i,
			    struct sk_buff *skb)
{
	__be32 daddr = udp_group_addr_ip4(&m->addr);
	struct udp_group_headers *h;

	h = udp_group_put(f, way, i, skb, sizeof(h->ip));

	h->ip.daddr = daddr;
	if (way->has_ident)
		h->ip.id = htons(m->ident + f->ident);
	h->udp.dest = m->addr.in.sin_port;

	if (likely(way->csum == CHECKSUM_PARTIAL))
		udp_group_offload_sum(way, skb, &h->udp, (__force __wsum)daddr);
	else if (way->csum == CHECKSUM_COMPLETE)
		udp_group_ip4_sum(f, h, daddr);
	udp_group_own_skb(f, way, m, skb);
	skb->priority = f->priority;
	if (f->ignore_df)
		skb->ignore_df = 1;
}

/* What __ip_local_out() and ip_finish_output2() do for a datagram that nobody
 * in between wants to see. The counters are added up by the batch.
 */
static int udp_group_output(const struct udp_group_way *way,
			    struct sk_buff *skb)
{
	struct iphdr *iph = (struct iphdr *)skb->data;
	struct neighbour *neigh = way->neigh;
	__wsum sum;

	sum = csum_add(way->ip_sum, (__force __wsum)iph->daddr);
	iph->check = csum_fold(csum_add(sum, (__force __wsum)iph->id));

	skb->protocol = htons(ETH_P_IP);
	skb->dev = way->dev;
	if (!neigh)
		neigh = __ipv4_neigh_lookup_noref(way->dev,
						  (__force u32)iph->daddr);
	/* Only one that has to be made can be an error */
	if (unlikely(!neigh)) {
		neigh = ip_neigh_gw4(way->dev, iph->daddr);
		if (IS_ERR(neigh)) {
			kfree_skb_reason(skb, SKB_DROP_REASON_NEIGH_CREATEFAIL);
			return PTR_ERR(neigh);
		}
	}
	return neigh_output(neigh, skb, way->is_v6gw);
}

static int udp_group_fast_member(struct udp_group_fast *f, u32 i)
{
	struct udp_group_member *m = f->members[i];
	const struct udp_group_path *path = rcu_dereference(m->path);
	const struct udp_group_way *way = f->way;
	struct sk_buff *skb;

	if (unlikely(path != way->path)) {
		if (!udp_group_change_way(f, path))
			return UDP_GROUP_LEFT;
		way = f->way;
	}
	if (!f->nr_skbs && !udp_group_refill(f))
		return UDP_GROUP_LEFT;

	skb = f->skbs[--f->nr_skbs];
	if (unlikely(path->way.family != AF_INET))
		return udp_group_ip6_xmit(f, way, i, skb);

	udp_group_build(f, way, m, i, skb);
	if (likely(way->is_direct)) {
		f->nr_direct++;
		return udp_group_output(way, skb);
	}
	return ip_local_out(sock_net(f->sk), f->sk, skb);
}

/* The members that were collected. One whose path was taken away meanwhile is
 * sent to at the end, as sendto() would.
 */
void udp_group_transmit(struct udp_group_fast *f)
{
	struct net *net = sock_net(f->sk);
	u32 i, left = 0;
	int err;

	/* Routes and devices are looked at anew in each RCU section */
	f->ways[0].path = NULL;
	f->ways[1].path = NULL;
	f->way = f->ways;
	f->nr_direct = 0;

	if (f->payload.nr_frags)
		udp_group_payload_hold(&f->payload, f->n);

	rcu_read_lock();
	xmit_batch_begin(&f->batch, f->sk);
	for (i = 0; i < f->n; i++) {
		f->batch.result = &f->result[i];
		f->result[i] = 0;
		err = udp_group_fast_member(f, i);
		if (likely(!err))
			continue;
		f->result[i] = err;
		if (err == UDP_GROUP_LEFT)
			left++;
	}
	xmit_batch_end(&f->batch);
	rcu_read_unlock();

	IP_ADD_STATS(net, IPSTATS_MIB_OUTREQUESTS, f->nr_direct);
	IP_ADD_STATS(net, IPSTATS_MIB_OUTPKTS, f->nr_direct);
	IP_ADD_STATS(net, IPSTATS_MIB_OUTOCTETS,
		     f->nr_direct * (UDP_GROUP_HEADERS + f->s->len));

	if (unlikely(left)) {
		udp_group_payload_unhold(&f->payload, left);
		udp_group_unreserve(f->sk, left, f->truesize);
	}
}

