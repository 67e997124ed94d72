/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Group unicast for UDP: what the parts of the fast path share.
 */
#ifndef _UDP_GROUP_FAST_H
#define _UDP_GROUP_FAST_H

#include <linux/bpf-cgroup.h>
#include <linux/inetdevice.h>
#include <linux/netfilter.h>
#include <net/dst.h>
#include <net/ip.h>
#include <net/l3mdev.h>
#include <net/sock.h>
#include <net/xmit_batch.h>
#include "udp_group_impl.h"
#include "udp_group_path.h"
#include "udp_group_payload.h"

#define UDP_GROUP_BATCH		XMIT_BATCH_MAX

/* How many sk_buffs are allocated at once. With more, those that a device frees
 * at once would go back to slabs that are not the CPU's any more, which takes
 * SLUB three times as long.
 */
#define UDP_GROUP_CHUNK		10

struct udp_group_headers {
	struct iphdr	ip;
	struct udphdr	udp;
} __packed __aligned(4);

struct udp_group_headers6 {
	struct ipv6hdr	ip;
	struct udphdr	udp;
} __packed __aligned(4);

#define UDP_GROUP_HEADERS	sizeof(struct udp_group_headers)
#define UDP_GROUP_HEADERS6	sizeof(struct udp_group_headers6)

/* Room that is left for the link layer when data are copied, and behind them */
#define UDP_GROUP_HEADROOM	64

/* Result of a member who is left to the true path after all: no errno, and
 * nothing that a qdisc, a device or a light-weight tunnel answers.
 */
#define UDP_GROUP_LEFT		0x1000

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
 * @is_v6gw: the neighbour of an IPv4 path is an IPv6 router
 * @neigh: the router, NULL if the neighbour is the member itself
 * @ip_sum: sum of the IP header but for what is the member's
 * @pseudo_sum: the same of UDP's pseudo header
 * @headers: the headers, but for what is the member's
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
	union {
		struct udp_group_headers	ip4;
		struct udp_group_headers6	ip6;
	} headers;
};

/**
 * struct udp_group_fast - what the datagrams of a send have in common
 * @s: the send
 * @sk: its socket
 * @ipc: control messages, as IPv4 reads them
 * @ipc6: the same, as IPv6 reads them
 * @has_ip4: members that are sent to by IPv4 can be sent to here
 * @has_ip6: the same for IPv6
 * @flows: what routes are looked up for, and the numbers of that
 * @sport: source port
 * @autolabel: IPv6 flow labels are made by the kernel
 * @ignore_df6: as @ignore_df, for IPv6
 * @ident: what is added to a member's IP identifier
 * @truesize: what each datagram is charged with
 * @headers: length of the longest headers that there can be
 * @headroom: what a head has room for before the headers
 * @prefixes: what is each member's own, of the batch, or NULL
 * @own: where that of the next slot begins
 * @own_slot: that slot
 * @path: path that the last member had, if it was checked in this batch, and
 *	datagrams of this message can take it, or NULL
 * @other: the one that it took the place of
 * @mark: mark of the datagrams
 * @priority: priority of those that are sent by IPv4
 * @has_extras: datagrams have shared pages or departure times
 * @ignore_df: they may be fragmented by others all the same
 * @payload: the data
 * @skbs: sk_buffs for the next datagrams
 * @nr_skbs: how many are left
 * @n: members of the batch
 * @members: these
 * @result: what became of them: 0, an errno, a NET_XMIT_* code
 * @ways: what the last members' datagrams had in common: members of two paths
 *	that take turns are not to be dearer than others
 * @way: which of these is the last one
 * @nr_direct: how many went to the neighbour directly
 * @batch: on the way to the qdisc
 */
struct udp_group_fast {
	struct udp_group_send		*s;
	struct sock			*sk;
	struct ipcm_cookie		*ipc;
	struct ipcm6_cookie		ipc6;
	bool				has_ip4;
	bool				has_ip6;
	struct udp_group_flows		flows;
	__be16				sport;
	bool				autolabel;
	bool				ignore_df6;
	u16				ident;
	u32				truesize;
	unsigned int			headers;
	unsigned int			headroom;
	void				*prefixes;
	struct iov_iter			own;
	u32				own_slot;
	struct udp_group_path		*path;
	struct udp_group_path		*other;
	bool				has_extras;
	bool				ignore_df;
	u32				mark;
	u32				priority;
	struct udp_group_payload	payload;
	unsigned int			nr_skbs;
	struct sk_buff			*skbs[UDP_GROUP_CHUNK];
	unsigned int			n;
	struct udp_group_member		*members[UDP_GROUP_BATCH];
	int				result[UDP_GROUP_BATCH];
	struct udp_group_way		ways[2];
	struct udp_group_way		*way;
	u32				nr_direct;
	struct xmit_batch		batch;
};

/* udp_group_fast.c */
bool udp_group_refill(struct udp_group_fast *f);

/* udp_group_xmit.c */
void udp_group_transmit(struct udp_group_fast *f);
void *udp_group_put_private(const struct udp_group_fast *f,
			    const struct udp_group_way *way, u32 i,
			    struct sk_buff *skb, unsigned int headers_len);
void udp_group_add_extras(const struct udp_group_fast *f,
			  const struct udp_group_member *m,
			  struct sk_buff *skb);
__wsum udp_group_sum(struct udp_group_fast *f, const struct udphdr *uh);

/* udp_group_ip6.c */
#if IS_ENABLED(CONFIG_IPV6)
bool udp_group_ip6_begin(struct udp_group_fast *f);
bool udp_group_ip6_fits(const struct udp_group_fast *f,
			const struct dst_entry *dst);
void udp_group_ip6_way_init(struct udp_group_fast *f,
			    struct udp_group_way *way);
int udp_group_ip6_xmit(struct udp_group_fast *f,
		       const struct udp_group_way *way, u32 i,
		       struct sk_buff *skb);
void udp_group_ip6_count_failure(struct net *net,
				 const struct udp_group_member *m,
				 bool is_drop);
#else
static inline bool udp_group_ip6_begin(struct udp_group_fast *f)
{
	return false;
}

static inline bool udp_group_ip6_fits(const struct udp_group_fast *f,
				      const struct dst_entry *dst)
{
	return false;
}

static inline void udp_group_ip6_way_init(struct udp_group_fast *f,
					  struct udp_group_way *way)
{
}

static inline int udp_group_ip6_xmit(struct udp_group_fast *f,
				     const struct udp_group_way *way, u32 i,
				     struct sk_buff *skb)
{
	return UDP_GROUP_LEFT;
}

static inline void
udp_group_ip6_count_failure(struct net *net, const struct udp_group_member *m,
			    bool is_drop)
{
}
#endif

static inline bool udp_group_ip4_fits(const struct udp_group_fast *f,
				      const struct dst_entry *dst)
{
	unsigned int mtu;

	mtu = ip_sk_use_pmtu(f->sk) ? dst_mtu(dst) :
				      min(READ_ONCE(READ_ONCE(dst->dev)->mtu),
					  IP_MAX_MTU);
	return f->has_ip4 && inetdev_valid_mtu(mtu) &&
	       UDP_GROUP_HEADERS + f->s->len <= mtu;
}

/* Do the datagrams of this message leave by a path in one piece, and is there
 * room for its device's headers?
 */
static inline bool udp_group_fits(const struct udp_group_fast *f,
				  const struct udp_group_path *path)
{
	const struct dst_entry *dst = path->dst;

	if (LL_RESERVED_SPACE(READ_ONCE(dst->dev)) > f->headroom)
		return false;
	if (likely(path->way.family == AF_INET))
		return udp_group_ip4_fits(f, dst);
	return udp_group_ip6_fits(f, dst);
}

/* Is there anybody between __ip_local_out() and ip_finish_output2() who wants
 * to see the datagrams? If not, these have nothing to do that is not known: the
 * route is one without lwtunnel and xfrm, and the datagrams are of one piece.
 */
static inline bool udp_group_is_unhooked(const struct net *net,
					 const struct net_device *dev,
					 bool is_ip6)
{
#ifdef CONFIG_NETFILTER
	struct nf_hook_entries __rcu *const *hooks = net->nf.hooks_ipv4;

#if IS_ENABLED(CONFIG_IPV6)
	if (is_ip6)
		hooks = net->nf.hooks_ipv6;
#endif
	if (rcu_access_pointer(hooks[NF_INET_LOCAL_OUT]) ||
	    rcu_access_pointer(hooks[NF_INET_POST_ROUTING]))
		return false;
#endif
	return !cgroup_bpf_enabled(CGROUP_INET_EGRESS) &&
	       !netif_is_l3_master(dev) && !netif_is_l3_slave(dev);
}

/* A few words, and too few for memcpy() to be good at it */
static __always_inline void
udp_group_copy_steps(void *to, const void *from, unsigned int len)
{
	const void *end = from + len;

	for (; from < end; from += UDP_GROUP_COPY_STEP) {
		memcpy(to, from, UDP_GROUP_COPY_STEP);
		to += UDP_GROUP_COPY_STEP;
	}
}

/* Put headers and data into number @i of the batch, which is empty. */
static __always_inline void *udp_group_put(const struct udp_group_fast *f,
					   const struct udp_group_way *way,
					   u32 i, struct sk_buff *skb,
					   unsigned int ip_len)
{
	unsigned int headers_len = ip_len + sizeof(struct udphdr);
	const struct udp_group_payload *p = &f->payload;
	unsigned int hh_len = way->hh_len;
	unsigned int copied = p->copied;
	void *to;

	skb_reserve(skb, hh_len);
	/* The same as by skb_reset_network_header() */
	skb->network_header = hh_len;
	skb->transport_header = hh_len + ip_len;
	if (unlikely(f->prefixes)) {
		to = udp_group_put_private(f, way, i, skb, headers_len);
	} else {
		to = __skb_put(skb, headers_len + copied);
		memcpy(to, &way->headers, headers_len);
		udp_group_copy_steps(to + headers_len, p->data, copied);
	}
	return to;
}

/* The device makes the checksum, but for the pseudo header's part. */
static __always_inline void
udp_group_offload_sum(const struct udp_group_way *way, struct sk_buff *skb,
		      struct udphdr *uh, __wsum sum)
{
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb->transport_header;
	skb->csum_offset = offsetof(struct udphdr, check);
	uh->check = ~csum_fold(csum_add(way->pseudo_sum, sum));
}

/* What a datagram has from its socket, its route and the message. */
static __always_inline void udp_group_own_skb(struct udp_group_fast *f,
					      const struct udp_group_way *way,
					      const struct udp_group_member *m,
					      struct sk_buff *skb)
{
	struct sock *sk = f->sk;

	skb->mark = f->mark;
	if (unlikely(f->has_extras))
		udp_group_add_extras(f, m, skb);
	skb_dst_set_noref(skb, way->dst);

	/* It was charged for already: see udp_group_reserve() */
	skb->sk = sk;
	skb->destructor = sock_wfree;
	skb_set_hash_from_sk(skb, sk);
}

#endif /* _UDP_GROUP_FAST_H */
