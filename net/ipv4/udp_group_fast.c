// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: the fast path.
 *
 * Builds the datagrams by hand: what is the same for all of them is made once a
 * send, what is the same for a path once for all members that have it. They go
 * out in batches. A batch is first gone through in process context, where the
 * security module is asked about each member, which may sleep, and paths are
 * looked up; then with bottom halves off, where datagrams are made and sent.
 *
 * It does only what it can do exactly as udp_sendmsg() would. A message that
 * needs more (IP options, fragments, GSO, time stamps, zerocopy) does not begin
 * here, and a member that does (xfrm, tunnels, broadcast, multicast, no route)
 * is left to the true path.
 */

#include <linux/bpf-cgroup.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <net/arp.h>
#include <net/checksum.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/l3mdev.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/udp.h>
#include <net/xmit_batch.h>
#include "udp_group_impl.h"

#define UDP_GROUP_BATCH		XMIT_BATCH_MAX

/* How many sk_buffs are allocated at once. With more, those that a device frees
 * at once would go back to slabs that are not the CPU's any more, which takes
 * SLUB three times as long.
 */
#define UDP_GROUP_CHUNK		10

#define UDP_GROUP_HEADERS	sizeof(struct udp_group_headers)

/* Room that is left for the link layer when data are copied, and behind them */
#define UDP_GROUP_HEADROOM	64

/* Result of a member who is left to the true path after all: no errno, and no
 * NET_XMIT_* code.
 */
#define UDP_GROUP_LEFT		(NET_XMIT_MASK + 1)

/**
 * struct udp_group_fast - what the datagrams of a send have in common
 * @s: the send
 * @ipc: control messages
 * @fl4: what routes are looked up for, but for the destination
 * @flow: number of that flow
 * @ident: what is added to a member's IP identifier
 * @truesize: what each datagram is charged with
 * @headroom: what a head has room for before the headers
 * @path: path that the last member had, if it was checked in this batch, and
 *	datagrams of this message can take it, or NULL
 * @priority: priority of the datagrams
 * @ignore_df: they may be fragmented by others all the same
 * @payload: the data
 * @skbs: sk_buffs for the next datagrams
 * @nr_skbs: how many are left
 * @n: members of the batch
 * @members: these
 * @result: what became of them: 0, an errno, a NET_XMIT_* code
 * @nr_direct: how many went to the neighbour directly
 * @batch: on the way to the qdisc
 */
struct udp_group_fast {
	struct udp_group_send		*s;
	const struct ipcm_cookie	*ipc;
	struct flowi4			fl4;
	u32				flow;
	u16				ident;
	u32				truesize;
	unsigned int			headroom;
	struct udp_group_path		*path;
	bool				ignore_df;
	u32				priority;
	struct udp_group_payload	payload;
	unsigned int			nr_skbs;
	struct sk_buff			*skbs[UDP_GROUP_CHUNK];
	unsigned int			n;
	struct udp_group_member		*members[UDP_GROUP_BATCH];
	int				result[UDP_GROUP_BATCH];
	u32				nr_direct;
	struct xmit_batch		batch;
};

/**
 * struct udp_group_way - what the datagrams of a path have in common
 * @path: the path
 * @dst: its route
 * @dev: its device
 * @hh_len: room for the link layer
 * @csum: CHECKSUM_PARTIAL if the device makes the checksum, CHECKSUM_COMPLETE
 *	if it is made here, CHECKSUM_NONE if there is none
 * @has_ident: datagrams have an IP identifier
 * @is_direct: nobody is to be asked between here and the neighbour
 * @is_v6gw: the neighbour is an IPv6 router
 * @neigh: the router, NULL if the neighbour is the member itself
 * @ip_sum: sum of the IP header but for what is the member's
 * @pseudo_sum: the same of UDP's pseudo header
 *
 * Made anew in each RCU section, which its pointers do not outlive.
 */
struct udp_group_way {
	const struct udp_group_path	*path;
	struct dst_entry		*dst;
	struct net_device		*dev;
	unsigned int			hh_len;
	u8				csum;
	bool				has_ident;
	bool				is_direct;
	bool				is_v6gw;
	struct neighbour		*neigh;
	__wsum				ip_sum;
	__wsum				pseudo_sum;
};

/* What a send needs is some 4 KiB of memory, for a few microseconds: the
 * last that was used on a CPU stays there for the next.
 */
static DEFINE_PER_CPU(struct udp_group_fast *, udp_group_spare);

static struct udp_group_fast *udp_group_fast_alloc(gfp_t gfp)
{
	struct udp_group_fast *f = this_cpu_xchg(udp_group_spare, NULL);

	return f ?: kmalloc(sizeof(*f), gfp);
}

static void udp_group_fast_free(struct udp_group_fast *f)
{
	if (this_cpu_cmpxchg(udp_group_spare, NULL, f))
		kfree(f);
}

/* The module goes: nobody sends. */
void udp_group_fast_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		kfree(per_cpu(udp_group_spare, cpu));
}

/* Can datagrams of this message be built here at all? */
static bool udp_group_is_plain(const struct udp_group_send *s,
			       const struct ipcm_cookie *ipc)
{
	struct sock *sk = s->sk;
	u8 tx_flags = 0;

	if (s->msg->msg_flags & (MSG_CONFIRM | MSG_PROBE | MSG_ZEROCOPY |
				 MSG_SPLICE_PAGES))
		return false;
	if (ipc->opt || rcu_access_pointer(inet_sk(sk)->inet_opt))
		return false;
	if (ipc->gso_size)
		return false;
	/* These programs may name another destination */
	if (cgroup_bpf_enabled(CGROUP_UDP4_SENDMSG))
		return false;
	sock_tx_timestamp(sk, ipc->sockc.tsflags, &tx_flags);
	return !tx_flags;
}

static bool udp_group_refill(struct udp_group_fast *f, u32 n, gfp_t gfp)
{
	if (!f->nr_skbs)
		f->nr_skbs = alloc_skb_bulk(gfp, min(n, UDP_GROUP_CHUNK),
					    f->skbs);
	return f->nr_skbs;
}

static void udp_group_init_flow(struct udp_group_fast *f)
{
	struct inet_sock *inet = inet_sk(f->s->sk);
	const struct ipcm_cookie *ipc = f->ipc;
	struct sock *sk = f->s->sk;

	flowi4_init_output(&f->fl4, ipc->oif ?: READ_ONCE(inet->uc_index),
			   ipc->sockc.mark, get_rttos(ipc, inet),
			   ip_sendmsg_scope(inet, ipc, f->s->msg),
			   sk->sk_protocol, inet_sk_flowi_flags(sk), 0,
			   ipc->addr, 0, inet->inet_sport, sk->sk_uid);
	security_sk_classify_flow(sk, flowi4_to_flowi_common(&f->fl4));
	f->flow = udp_group_flow_get(f->s->gs, &f->fl4);
}

/* Headers, as far as they are the same for all: see udp_group_way_init() */
static void udp_group_init_headers(struct udp_group_fast *f)
{
	struct udp_group_headers *h = &f->payload.linear.headers;
	struct inet_sock *inet = inet_sk(f->s->sk);
	struct udphdr *uh = &h->udp;
	struct iphdr *iph = &h->ip;

	memset(h, 0, sizeof(*h));
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = f->ipc->tos != -1 ? f->ipc->tos : READ_ONCE(inet->tos);
	iph->tot_len = htons(UDP_GROUP_HEADERS + f->s->len);
	iph->protocol = f->s->sk->sk_protocol;
	uh->source = inet->inet_sport;
	uh->len = htons(sizeof(*uh) + f->s->len);
}

void udp_group_fast_end(struct udp_group_fast *f)
{
	udp_group_path_put(f->path);
	udp_group_payload_free(&f->payload);
	while (f->nr_skbs)
		consume_skb(f->skbs[--f->nr_skbs]);
	udp_group_fast_free(f);
}

/**
 * udp_group_fast_begin - prepare what the datagrams have in common
 * @s: the send
 * @ipc: control messages of the message
 *
 * Uses up the message's data.
 *
 * Return: this, or NULL if all members are to be sent to on the true path, or
 * -EFAULT.
 */
struct udp_group_fast *udp_group_fast_begin(struct udp_group_send *s,
					    const struct ipcm_cookie *ipc)
{
	struct udp_group_fast *f;
	unsigned int room;
	int err = -ENOBUFS;

	if (!udp_group_is_plain(s, ipc))
		return NULL;

	f = udp_group_fast_alloc(s->sk->sk_allocation);
	if (!f)
		return NULL;
	f->s = s;
	f->ipc = ipc;
	f->path = NULL;
	f->nr_skbs = 0;
	f->payload.nr_frags = 0;
	if (!udp_group_refill(f, s->t->slots, s->sk->sk_allocation))
		goto end_fast;

	room = skb_tailroom(f->skbs[0]);
	err = udp_group_payload_init(&f->payload, s->sk, &s->msg->msg_iter,
				     s->len,
				     round_down(room - UDP_GROUP_HEADROOM,
						UDP_GROUP_COPY_STEP) -
				     UDP_GROUP_HEADERS);
	if (err)
		goto end_fast;
	f->headroom = room - round_up(f->payload.linear_len,
				      UDP_GROUP_COPY_STEP);

	f->truesize = f->skbs[0]->truesize;
	if (f->payload.nr_frags)
		f->truesize += s->len;
	f->ident = atomic_inc_return(&s->gs->ident);
	f->ignore_df = ip_sk_ignore_df(s->sk);
	f->priority = ipc->tos != -1 ? ipc->priority :
				       READ_ONCE(s->sk->sk_priority);
	udp_group_init_flow(f);
	udp_group_init_headers(f);
	return f;

end_fast:
	udp_group_fast_end(f);
	return err == -EFAULT ? ERR_PTR(err) : NULL;
}

/* Do the datagrams of this message leave by a route in one piece, and is there
 * room for its device's headers?
 */
static bool udp_group_fits(const struct udp_group_fast *f,
			   const struct dst_entry *dst)
{
	const struct net_device *dev = READ_ONCE(dst->dev);
	unsigned int mtu;

	mtu = ip_sk_use_pmtu(f->s->sk) ? dst_mtu(dst) : READ_ONCE(dev->mtu);
	if (!inetdev_valid_mtu(mtu) || UDP_GROUP_HEADERS + f->s->len > mtu)
		return false;
	return LL_RESERVED_SPACE(dev) <= f->headroom;
}

/* Find the member's path, and whether it can be taken here. */
static noinline bool udp_group_find_way(struct udp_group_fast *f,
					struct udp_group_member *m)
{
	struct udp_group_path *path;
	bool fits;

	udp_group_path_put(f->path);
	f->path = NULL;
	path = udp_group_path_get(f->s->gs, f->s->sk, &f->fl4, f->flow, m);

	rcu_read_lock();
	fits = path && path->dst && udp_group_fits(f, path->dst);
	rcu_read_unlock();
	if (fits)
		f->path = path;
	else
		udp_group_path_put(path);
	return fits;
}

/* Can the member be sent to here, as far as its path goes? */
static bool udp_group_has_way(struct udp_group_fast *f,
			      struct udp_group_member *m)
{
	/* The reference keeps the address from becoming another path's */
	if (likely(f->path && rcu_access_pointer(m->path) == f->path))
		return true;
	return udp_group_find_way(f, m);
}

static int udp_group_ask_security(struct udp_group_send *s,
				  struct udp_group_member *m)
{
	struct msghdr *msg = s->msg;

	msg->msg_name = &m->addr;
	msg->msg_namelen = sizeof(m->addr.in);
	return udp_group_security_sendmsg(s->sk, msg, s->len);
}

/* Take members from @slot on, up to @max of them or to the first that cannot be
 * sent to here. Returns the slot after the last one that was passed.
 */
static u32 udp_group_collect(struct udp_group_fast *f, u32 slot, u32 max)
{
	struct udp_group_send *s = f->s;
	struct udp_group_member *m = &s->t->slot[slot];
	u32 n = 0, end = s->t->slots;

	for (; n < max && slot < end; slot++, m++) {
		int err;

		if (udp_group_is_hole(m)) {
			s->sum.holes++;
			continue;
		}
		if (!udp_group_has_way(f, m))
			break;
		err = udp_group_ask_security(s, m);
		if (unlikely(err))
			udp_group_count(s, m, err);
		else
			f->members[n++] = m;
	}
	f->n = n;
	return slot;
}

/* Is there anybody between __ip_local_out() and ip_finish_output2() who wants
 * to see the datagrams? If not, these have nothing to do that is not known: the
 * route is one without lwtunnel and xfrm, and the datagrams are of one piece.
 */
static bool udp_group_is_unhooked(const struct net *net,
				  const struct net_device *dev)
{
#ifdef CONFIG_NETFILTER
	if (rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_LOCAL_OUT]) ||
	    rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_POST_ROUTING]))
		return false;
#endif
	return !cgroup_bpf_enabled(CGROUP_INET_EGRESS) &&
	       !netif_is_l3_master(dev) && !netif_is_l3_slave(dev);
}

/* The router of a path, and whether datagrams can be handed to it directly. */
static void udp_group_way_init_neigh(struct udp_group_way *way,
				     const struct net *net)
{
	struct rtable *rt = dst_rtable(way->dst);
	struct net_device *dev = way->dev;

	way->neigh = NULL;
	way->is_v6gw = false;
	way->is_direct = udp_group_is_unhooked(net, dev);
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

static bool udp_group_way_init(struct udp_group_fast *f,
			       struct udp_group_way *way,
			       const struct udp_group_path *path)
{
	struct sock *sk = f->s->sk;
	struct inet_sock *inet = inet_sk(sk);
	struct iphdr *iph = &f->payload.linear.headers.ip;
	u8 pmtudisc = READ_ONCE(inet->pmtudisc);
	int ttl;

	way->path = NULL;
	/* What is not the last path that was looked at has to be looked at */
	if (path != f->path &&
	    (!path || path->flow != f->flow || !path->dst ||
	     !udp_group_fits(f, path->dst)))
		return false;

	way->path = path;
	way->dst = path->dst;
	way->dev = READ_ONCE(way->dst->dev);
	way->hh_len = LL_RESERVED_SPACE(way->dev);
	if (sk->sk_no_check_tx)
		way->csum = CHECKSUM_NONE;
	else if (way->dev->features & (NETIF_F_HW_CSUM | NETIF_F_IP_CSUM))
		way->csum = CHECKSUM_PARTIAL;
	else
		way->csum = CHECKSUM_COMPLETE;

	iph->saddr = path->saddr;
	ttl = f->ipc->ttl ?: READ_ONCE(inet->uc_ttl);
	iph->ttl = ttl < 0 ? ip4_dst_hoplimit(way->dst) : ttl;

	/* That it is no longer than the route's MTU, where that matters, has
	 * been seen in udp_group_fits().
	 */
	iph->frag_off = 0;
	if (pmtudisc == IP_PMTUDISC_PROBE || ip_dont_fragment(sk, way->dst))
		iph->frag_off = htons(IP_DF);
	/* See ip_select_ident_segs() */
	way->has_ident = !iph->frag_off || f->ignore_df;

	udp_group_way_init_neigh(way, sock_net(sk));
	way->ip_sum = ~csum_unfold(ip_fast_csum(iph, iph->ihl));
	way->pseudo_sum = csum_tcpudp_nofold(path->saddr, 0,
					     sizeof(struct udphdr) + f->s->len,
					     IPPROTO_UDP, 0);
	return true;
}

/* The checksum that the device does not make. */
static void udp_group_sum(struct udp_group_fast *f, struct udp_group_headers *h,
			  __be32 daddr)
{
	__wsum sum = udp_group_payload_csum(&f->payload);

	sum = csum_partial(&h->udp, sizeof(h->udp), sum);
	h->udp.check = csum_tcpudp_magic(h->ip.saddr, daddr,
					 sizeof(h->udp) + f->s->len,
					 IPPROTO_UDP, sum);
	if (!h->udp.check)
		h->udp.check = CSUM_MANGLED_0;
}

/* What __ip_make_skb() and udp_send_skb() do for a datagram in one piece. */
static void udp_group_build(struct udp_group_fast *f,
			    const struct udp_group_way *way,
			    const struct udp_group_member *m,
			    struct sk_buff *skb)
{
	__be32 daddr = m->addr.in.sin_addr.s_addr;
	const struct udp_group_payload *p = &f->payload;
	unsigned int i, linear_len = p->linear_len;
	struct udp_group_headers *h;
	struct sock *sk = f->s->sk;

	skb_reserve(skb, way->hh_len);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(struct iphdr));
	h = __skb_put(skb, linear_len);
	/* A few words, and too few for memcpy() to be good at it */
	for (i = 0; i < linear_len; i += UDP_GROUP_COPY_STEP)
		memcpy((void *)h + i, (const void *)&p->linear + i,
		       UDP_GROUP_COPY_STEP);
	if (p->nr_frags)
		udp_group_payload_share(p, skb);

	h->ip.daddr = daddr;
	if (way->has_ident)
		h->ip.id = htons(m->ident + f->ident);
	h->udp.dest = m->addr.in.sin_port;

	if (likely(way->csum == CHECKSUM_PARTIAL)) {
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = way->hh_len + sizeof(h->ip);
		skb->csum_offset = offsetof(struct udphdr, check);
		h->udp.check = ~csum_fold(csum_add(way->pseudo_sum,
						   (__force __wsum)daddr));
	} else if (way->csum == CHECKSUM_COMPLETE) {
		udp_group_sum(f, h, daddr);
	}

	if (f->ignore_df)
		skb->ignore_df = 1;
	skb->priority = f->priority;
	skb->mark = f->ipc->sockc.mark;
	if (f->ipc->sockc.transmit_time)
		skb_set_delivery_type_by_clockid(skb,
						 f->ipc->sockc.transmit_time,
						 sk->sk_clockid);
	skb_dst_set_noref(skb, way->dst);

	/* It was charged for already: see udp_group_reserve() */
	skb->sk = sk;
	skb->destructor = sock_wfree;
	skb_set_hash_from_sk(skb, sk);
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
		neigh = ip_neigh_gw4(skb->dev, iph->daddr);
	if (IS_ERR(neigh)) {
		kfree_skb_reason(skb, SKB_DROP_REASON_NEIGH_CREATEFAIL);
		return PTR_ERR(neigh);
	}
	return neigh_output(neigh, skb, way->is_v6gw);
}

static int udp_group_fast_member(struct udp_group_fast *f,
				 struct udp_group_way *way, u32 i)
{
	struct udp_group_member *m = f->members[i];
	const struct udp_group_path *path = rcu_dereference(m->path);
	struct sk_buff *skb;

	if (unlikely(path != way->path) && !udp_group_way_init(f, way, path))
		return UDP_GROUP_LEFT;
	/* Whoever has no memory without waiting gets it on the true path */
	if (!udp_group_refill(f, f->n - i, GFP_NOWAIT | __GFP_NOWARN))
		return UDP_GROUP_LEFT;

	skb = f->skbs[--f->nr_skbs];
	udp_group_build(f, way, m, skb);
	if (likely(way->is_direct)) {
		f->nr_direct++;
		return udp_group_output(way, skb);
	}
	return ip_local_out(sock_net(f->s->sk), f->s->sk, skb);
}

/* The members that were collected. One whose path was taken away meanwhile is
 * sent to at the end, as sendto() would.
 */
static void udp_group_transmit(struct udp_group_fast *f)
{
	struct net *net = sock_net(f->s->sk);
	struct udp_group_way way = {};
	u32 i, left = 0;

	f->nr_direct = 0;

	udp_group_payload_hold(&f->payload, f->n);

	rcu_read_lock();
	xmit_batch_begin(&f->batch, f->s->sk);
	for (i = 0; i < f->n; i++) {
		f->batch.result = &f->result[i];
		f->result[i] = udp_group_fast_member(f, &way, i);
		left += f->result[i] == UDP_GROUP_LEFT;
	}
	xmit_batch_end(&f->batch);
	rcu_read_unlock();

	IP_ADD_STATS(net, IPSTATS_MIB_OUTREQUESTS, f->nr_direct);
	IP_ADD_STATS(net, IPSTATS_MIB_OUTPKTS, f->nr_direct);
	IP_ADD_STATS(net, IPSTATS_MIB_OUTOCTETS,
		     f->nr_direct * (UDP_GROUP_HEADERS + f->s->len));

	if (unlikely(left)) {
		udp_group_payload_unhold(&f->payload, left);
		udp_group_unreserve(f->s->sk, left, f->truesize);
	}
}

static void udp_group_count_batch(struct udp_group_fast *f)
{
	struct net *net = sock_net(f->s->sk);
	u32 i, sent = 0, drops = 0, failed = 0;

	for (i = 0; i < f->n; i++) {
		struct udp_group_member *m = f->members[i];
		int err = f->result[i];

		if (unlikely(err == UDP_GROUP_LEFT)) {
			udp_group_count(f->s, m, udp_group_send_true(f->s, m));
			continue;
		}
		if (unlikely(err > 0))
			err = net_xmit_errno(err);
		if (likely(!err)) {
			atomic64_inc(&m->sent);
			sent++;
			continue;
		}
		failed++;
		drops += err == -ENOBUFS;
		udp_group_count(f->s, m, err);
	}

	f->s->sum.sent += sent;
	f->s->fast += sent + failed;
	SNMP_ADD_STATS(net->mib.udp_statistics, UDP_MIB_OUTDATAGRAMS, sent);
	if (unlikely(failed)) {
		SNMP_ADD_STATS(net->mib.udp_statistics, UDP_MIB_SNDBUFERRORS,
			       drops);
		SNMP_ADD_STATS(net->mib.ip_statistics, IPSTATS_MIB_OUTDISCARDS,
			       failed);
	}
}

/**
 * udp_group_fast_send - send to some of the next members
 * @f: what the datagrams have in common
 * @slot: first slot
 *
 * Goes as far as there are members that can be sent to here, there is room in
 * the send buffer, and a batch is not full.
 *
 * Return: the slot after the last one that was passed. If that is @slot, its
 * member is to be sent to on the true path.
 */
u32 udp_group_fast_send(struct udp_group_fast *f, u32 slot)
{
	struct udp_group_send *s = f->s;
	struct udp_group_member *m = &s->t->slot[slot];
	u32 room = min(UDP_GROUP_BATCH, s->t->slots - slot);

	/* A path is checked once in a batch */
	if (udp_group_is_hole(m)) {
		udp_group_path_put(f->path);
		f->path = NULL;
	} else if (!udp_group_find_way(f, m)) {
		return slot;	/* Nothing is charged if it does not begin */
	}

	room = udp_group_reserve(s->sk, room, f->truesize);
	slot = udp_group_collect(f, slot, room);
	if (unlikely(f->n < room))
		udp_group_unreserve(s->sk, room - f->n, f->truesize);
	if (f->n) {
		udp_group_transmit(f);
		udp_group_count_batch(f);
	}
	return slot;
}
