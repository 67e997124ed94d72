// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: what is different for IPv6.
 */

#include <linux/bpf-cgroup.h>
#include <net/flow_dissector.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/sock.h>
#include <net/transp_v6.h>
#include <net/udp.h>
#include "udp_group_fast.h"

static int udp_group_ip6_check_label(struct sock *sk, const struct flowi6 *fl6)
{
	struct ip6_flowlabel *label;

	if (!(fl6->flowlabel & IPV6_FLOWLABEL_MASK))
		return 0;
	label = fl6_sock_lookup(sk, fl6->flowlabel);
	if (IS_ERR(label))
		return -EINVAL;
	fl6_sock_release(label);
	return 0;
}

static int udp_group_ip6_read_cmsg(struct sock *sk, struct msghdr *msg,
				   struct sockcm_cookie *sockc, int oif)
{
	struct ipv6_txoptions opt = { .tot_len = sizeof(opt) };
	struct flowi6 fl6 = {
		.flowi6_oif = oif,
	};
	struct ipcm6_cookie ipc6;
	int err;

	ipcm6_init_sk(&ipc6, sk);
	ipc6.sockc = *sockc;
	ipc6.opt = &opt;
	err = udp_cmsg_send(sk, msg, &ipc6.gso_size);
	if (err > 0)
		err = ip6_datagram_send_ctl(sock_net(sk), sk, msg, &fl6, &ipc6);
	err = err ?: udp_group_ip6_check_label(sk, &fl6);
	if (!err)
		*sockc = ipc6.sockc;
	return err;
}

/* The interface of a source address that means nothing without, if the message
 * does not say which; or 0.
 */
static int udp_group_ip6_source_dev(const struct sock *sk, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	int ifindex = 0;

	for_each_cmsghdr(cmsg, msg) {
		const struct in6_pktinfo *info = CMSG_DATA(cmsg);
		struct net_device *dev;

		if (cmsg->cmsg_level != SOL_IPV6 ||
		    (cmsg->cmsg_type != IPV6_PKTINFO &&
		     cmsg->cmsg_type != IPV6_2292PKTINFO) ||
		    cmsg->cmsg_len < CMSG_LEN(sizeof(*info)) ||
		    info->ipi6_ifindex ||
		    !(ipv6_addr_type(&info->ipi6_addr) & IPV6_ADDR_LINKLOCAL))
			continue;

		rcu_read_lock();
		dev = ipv6_dev_find(sock_net(sk), &info->ipi6_addr, NULL);
		ifindex = dev ? dev->ifindex : 0;
		rcu_read_unlock();
	}
	return ifindex;
}

/* What udpv6_sendmsg() would say of the control messages. If they are good,
 * what is read of those that are for any socket is put into @sockc.
 */
int udp_group_ip6_check_cmsg(struct sock *sk, struct msghdr *msg,
			     struct sockcm_cookie *sockc)
{
	int sticky = inet6_sk(sk)->sticky_pktinfo.ipi6_ifindex;
	int bound = READ_ONCE(sk->sk_bound_dev_if);
	int err;

	err = udp_group_ip6_read_cmsg(sk, msg, sockc, bound ?: sticky);
	if (err != -EINVAL || bound)
		return err;
	/* A member's scope id goes before the interface of a socket that is not
	 * bound: what only the interface makes wrong is for each member to say
	 */
	return udp_group_ip6_read_cmsg(sk, msg, sockc,
				       udp_group_ip6_source_dev(sk, msg));
}

void udp_group_ip6_local_error(struct sock *sk, int err,
			       const struct sockaddr_in6 *sin6)
{
	struct flowi6 fl6 = {
		.daddr = sin6->sin6_addr,
		.fl6_dport = sin6->sin6_port,
	};

	ipv6_local_error(sk, err, &fl6, 0);
}

/* ---- the fast path ---- */

/* What is the same for all members that are sent to by IPv6; false if it cannot
 * be done as udpv6_sendmsg() would.
 */
bool udp_group_ip6_begin(struct udp_group_fast *f)
{
	struct ipv6_txoptions opt = { .tot_len = sizeof(opt) };
	struct flowi6 *fl6 = &f->flows.fl6;
	struct sock *sk = f->sk;
	struct ipv6_pinfo *np = inet6_sk(sk);
	struct msghdr *msg = f->s->msg;

	/* These programs may name another destination; options and labels of
	 * the user's make headers that are not built here
	 */
	if (cgroup_bpf_enabled(CGROUP_UDP6_SENDMSG) ||
	    rcu_access_pointer(np->opt) || inet6_test_bit(SNDFLOW, sk))
		return false;

	memset(fl6, 0, sizeof(*fl6));
	ipcm6_init_sk(&f->ipc6, sk);
	f->ipc6.sockc = f->ipc->sockc;
	fl6->flowi6_oif = READ_ONCE(sk->sk_bound_dev_if) ?:
			  np->sticky_pktinfo.ipi6_ifindex;
	if (msg->msg_controllen) {
		f->ipc6.opt = &opt;
		if (ip6_datagram_send_ctl(sock_net(sk), sk, msg, fl6,
					  &f->ipc6))
			return false;
		f->ipc6.opt = NULL;
		if (opt.opt_nflen | opt.opt_flen ||
		    fl6->flowlabel & IPV6_FLOWLABEL_MASK)
			return false;
	}

	if (!fl6->flowi6_oif)
		fl6->flowi6_oif = READ_ONCE(np->ucast_oif);
	fl6->flowi6_uid = sk->sk_uid;
	fl6->flowi6_proto = sk->sk_protocol;
	fl6->flowi6_mark = f->ipc6.sockc.mark;
	if (ipv6_addr_any(&fl6->saddr))
		fl6->saddr = np->saddr;
	fl6->fl6_sport = inet_sk(sk)->inet_sport;
	fl6->flowlabel = ip6_make_flowinfo(f->ipc6.tclass, fl6->flowlabel);
	security_sk_classify_flow(sk, flowi6_to_flowi_common(fl6));
	udp_group_flow_get6(f->s->gs, &f->flows);

	f->autolabel = ip6_autoflowlabel(sock_net(sk), sk) ||
		       READ_ONCE(sock_net(sk)->ipv6.sysctl.auto_flowlabels) ==
		       IP6_AUTO_FLOW_LABEL_FORCED;
	f->ignore_df6 = ip6_sk_ignore_df(sk);
	return true;
}

/* Can datagrams be built for it as the fast path does? */
static bool udp_group_ip6_route_is_plain(const struct dst_entry *dst)
{
	return dst->output == ip6_output && !dst_xfrm(dst) &&
	       !dst->header_len && !dst->lwtstate &&
	       !(dst_rt6_info(dst)->rt6i_flags & (RTF_ANYCAST | RTF_REJECT));
}

/* The route to a member, with a reference, or NULL if it is to be left to the
 * true path.
 */
struct dst_entry *udp_group_ip6_route(struct sock *sk,
				      const struct flowi6 *flow,
				      struct udp_group_member *m,
				      struct udp_group_found *found)
{
	const struct sockaddr_in6 *sin6 = &m->addr.in6;
	int type = ipv6_addr_type(&sin6->sin6_addr);
	struct flowi6 fl6 = *flow;
	struct flow_keys keys;
	struct dst_entry *dst;

	/* These have rules of their own in udpv6_sendmsg() */
	if (type == IPV6_ADDR_ANY || type & IPV6_ADDR_MULTICAST)
		return NULL;
	if (sin6->sin6_scope_id && __ipv6_addr_needs_scope_id(type)) {
		if (fl6.flowi6_oif && fl6.flowi6_oif != sin6->sin6_scope_id)
			return NULL;
		fl6.flowi6_oif = sin6->sin6_scope_id;
	}

	fl6.daddr = sin6->sin6_addr;
	fl6.fl6_dport = sin6->sin6_port;
	dst = ip6_dst_lookup_flow(sock_net(sk), sk, &fl6, NULL);
	/* What is wrong the true path will find, and say as sendto() does */
	if (IS_ERR(dst))
		return NULL;
	if (!udp_group_ip6_route_is_plain(dst)) {
		dst_release(dst);
		return NULL;
	}
	found->saddr = fl6.saddr;
	found->cookie = rt6_get_cookie(dst_rt6_info(dst));
	WRITE_ONCE(m->hash, __get_hash_from_flowi6(&fl6, &keys));
	return dst;
}

bool udp_group_ip6_fits(const struct udp_group_fast *f,
			const struct dst_entry *dst)
{
	const struct ipv6_pinfo *np = inet6_sk(f->sk);
	unsigned int mtu, frag_size = READ_ONCE(np->frag_size);

	/* See ip6_setup_cork() */
	mtu = READ_ONCE(np->pmtudisc) >= IPV6_PMTUDISC_PROBE ?
	      READ_ONCE(READ_ONCE(dst->dev)->mtu) : dst_mtu(dst);
	if (frag_size && frag_size < mtu)
		mtu = frag_size;
	mtu = min(mtu, IP6_MAX_MTU);
	return f->has_ip6 && UDP_GROUP_HEADERS6 + f->s->len <= mtu;
}

static void udp_group_ip6_init_headers(struct udp_group_fast *f,
				       struct udp_group_way *way)
{
	struct udp_group_headers6 *h = &way->headers.ip6;
	unsigned int len = sizeof(h->udp) + f->s->len;

	memset(h, 0, sizeof(*h));
	h->ip.payload_len = htons(len);
	h->ip.nexthdr = f->sk->sk_protocol;
	h->ip.saddr = way->path->way.saddr;
	h->udp.source = inet_sk(f->sk)->inet_sport;
	h->udp.len = htons(len);
}

/* The router of a path, and whether datagrams can be handed to it directly. */
static void udp_group_ip6_way_init_neigh(struct udp_group_way *way,
					 const struct net *net)
{
	const struct rt6_info *rt = dst_rt6_info(way->dst);
	const struct inet6_dev *idev = ip6_dst_idev(way->dst);

	way->neigh = NULL;
	way->is_direct = udp_group_is_unhooked(net, way->dev, true) && idev &&
			 !READ_ONCE(idev->cnf.disable_ipv6);
	if (!way->is_direct || !(rt->rt6i_flags & RTF_GATEWAY))
		return;
	way->neigh = ip_neigh_gw6(way->dev, &rt->rt6i_gateway);
	/* That this cannot be is for ip6_output() to say */
	if (IS_ERR(way->neigh))
		way->is_direct = false;
}

void udp_group_ip6_way_init(struct udp_group_fast *f, struct udp_group_way *way)
{
	struct ipv6hdr *hdr = &way->headers.ip6.ip;
	struct sock *sk = f->sk;
	int hlimit = f->ipc6.hlimit;

	udp_group_ip6_init_headers(f, way);
	if (hlimit < 0)
		hlimit = READ_ONCE(inet6_sk(sk)->hop_limit);
	hdr->hop_limit = hlimit < 0 ? ip6_dst_hoplimit(way->dst) : hlimit;

	if (udp_get_no_check6_tx(sk))
		way->csum = CHECKSUM_NONE;
	else if (way->dev->features & (NETIF_F_HW_CSUM | NETIF_F_IPV6_CSUM))
		way->csum = CHECKSUM_PARTIAL;
	else
		way->csum = CHECKSUM_COMPLETE;
	udp_group_ip6_way_init_neigh(way, sock_net(sk));
	way->pseudo_sum = csum_unfold(~csum_ipv6_magic(&hdr->saddr,
						       &in6addr_any,
						       sizeof(struct udphdr) +
						       f->s->len, IPPROTO_UDP,
						       0));
}

/* What __ip6_make_skb() and udp_v6_send_skb() do for one in one piece. */
static void udp_group_ip6_build(struct udp_group_fast *f,
				const struct udp_group_way *way, u32 i,
				struct sk_buff *skb)
{
	const struct udp_group_member *m = f->members[i];
	const struct in6_addr *daddr = &m->addr.in6.sin6_addr;
	struct net *net = sock_net(f->sk);
	struct udp_group_headers6 *h;
	__be32 label = 0;

	h = udp_group_put(f, way, i, skb, sizeof(h->ip));
	udp_group_own_skb(f, way, m, skb);
	skb->priority = READ_ONCE(f->sk->sk_priority);
	if (f->ignore_df6)
		skb->ignore_df = 1;

	/* The label is made of the hash of the flow, which is known */
	if (f->autolabel) {
		if (!skb->hash)
			__skb_set_sw_hash(skb, READ_ONCE(m->hash), true);
		label = ip6_make_flowlabel(net, skb, 0, true, NULL);
	}
	/* -1 by a control message is 255: see ip6_setup_cork() */
	ip6_flow_hdr(&h->ip, (u8)f->ipc6.tclass, label);
	h->ip.daddr = *daddr;
	h->udp.dest = m->addr.in6.sin6_port;

	if (likely(way->csum == CHECKSUM_PARTIAL)) {
		__wsum sum = (__force __wsum)daddr->s6_addr32[0];

		sum = csum_add(sum, (__force __wsum)daddr->s6_addr32[1]);
		sum = csum_add(sum, (__force __wsum)daddr->s6_addr32[2]);
		sum = csum_add(sum, (__force __wsum)daddr->s6_addr32[3]);
		udp_group_offload_sum(way, skb, &h->udp, sum);
	} else if (way->csum == CHECKSUM_COMPLETE) {
		h->udp.check = csum_ipv6_magic(&h->ip.saddr, daddr,
					       sizeof(h->udp) + f->s->len,
					       IPPROTO_UDP,
					       udp_group_sum(f, &h->udp));
		if (!h->udp.check)
			h->udp.check = CSUM_MANGLED_0;
	}
}

/* What __ip6_local_out() and ip6_finish_output2() do for a datagram that nobody
 * in between wants to see.
 */
static int udp_group_ip6_output(const struct udp_group_way *way,
				struct net *net, struct inet6_dev *idev,
				struct sk_buff *skb)
{
	struct neighbour *neigh = way->neigh;

	IP6CB(skb)->nhoff = offsetof(struct ipv6hdr, nexthdr);
	skb->protocol = htons(ETH_P_IPV6);
	skb->dev = way->dev;
	IP6_UPD_PO_STATS(net, idev, IPSTATS_MIB_OUT, skb->len);

	if (!neigh)
		neigh = ip_neigh_gw6(skb->dev, &ipv6_hdr(skb)->daddr);
	if (IS_ERR(neigh)) {
		IP6_INC_STATS(net, idev, IPSTATS_MIB_OUTNOROUTES);
		kfree_skb_reason(skb, SKB_DROP_REASON_NEIGH_CREATEFAIL);
		return -EINVAL;
	}
	return neigh_output(neigh, skb, false);
}

/* Make and send number @i of the batch. */
int udp_group_ip6_xmit(struct udp_group_fast *f,
		       const struct udp_group_way *way, u32 i,
		       struct sk_buff *skb)
{
	struct inet6_dev *idev = ip6_dst_idev(way->dst);
	struct sock *sk = f->sk;

	udp_group_ip6_build(f, way, i, skb);
	IP6_INC_STATS(sock_net(sk), idev, IPSTATS_MIB_OUTREQUESTS);
	if (likely(way->is_direct))
		return udp_group_ip6_output(way, sock_net(sk), idev, skb);
	return ip6_local_out(sock_net(sk), sk, skb);
}

/* What the IP and UDP layers count for a datagram that was not sent. */
void udp_group_ip6_count_failure(struct net *net,
				 const struct udp_group_member *m,
				 bool is_drop)
{
	const struct udp_group_path *path;
	struct inet6_dev *idev = NULL;

	if (is_drop)
		SNMP_INC_STATS(net->mib.udp_stats_in6, UDP_MIB_SNDBUFERRORS);
	rcu_read_lock();
	path = rcu_dereference(m->path);
	if (path && path->dst)
		idev = ip6_dst_idev(path->dst);
	IP6_INC_STATS(net, idev, IPSTATS_MIB_OUTDISCARDS);
	rcu_read_unlock();
}
