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
#include <linux/percpu.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/udp.h>
#include "udp_group_fast.h"

/* What a send needs is some 4 KiB of memory, for a few microseconds: the
 * last that was used on a CPU stays there for the next, and so do the sk_buffs
 * that were left over, which are nobody's yet.
 */
static DEFINE_PER_CPU(struct udp_group_fast *, udp_group_spare);

static struct udp_group_fast *udp_group_fast_alloc(gfp_t gfp)
{
	struct udp_group_fast *f = this_cpu_xchg(udp_group_spare, NULL);

	if (f)
		return f;
	f = kmalloc(sizeof(*f), gfp);
	if (f)
		f->nr_skbs = 0;
	return f;
}

static void udp_group_fast_destroy(struct udp_group_fast *f)
{
	while (f->nr_skbs)
		consume_skb(f->skbs[--f->nr_skbs]);
	kfree(f);
}

static void udp_group_fast_free(struct udp_group_fast *f)
{
	if (this_cpu_cmpxchg(udp_group_spare, NULL, f))
		udp_group_fast_destroy(f);
}

/* The module goes: nobody sends. */
void udp_group_fast_exit(void)
{
	struct udp_group_fast *f;
	int cpu;

	for_each_possible_cpu(cpu) {
		f = per_cpu(udp_group_spare, cpu);
		if (f)
			udp_group_fast_destroy(f);
	}
}

/* Has something come that sendto() would ask for each datagram? It is asked for
 * each batch: sends can last.
 */
static __always_inline bool udp_group_must_ask(const struct udp_group_fast *f)
{
	const struct sock *sk = f->sk;

#ifdef CONFIG_XFRM
	/* Not all changes of policies make routes invalid */
	if (rcu_access_pointer(sk->sk_policy[XFRM_POLICY_OUT]) ||
	    READ_ONCE(sock_net(sk)->xfrm.policy_count[XFRM_POLICY_OUT]))
		return true;
#endif
	/* See udp_group_ip4_begin() */
	if ((f->has_ip4 && cgroup_bpf_enabled(CGROUP_UDP4_SENDMSG)) ||
	    (f->has_ip6 && cgroup_bpf_enabled(CGROUP_UDP6_SENDMSG)))
		return true;
	/* connect() to AF_UNSPEC has given the port up, and it may be another
	 * socket's by now
	 */
	return unlikely(READ_ONCE(inet_sk(sk)->inet_sport) != f->sport);
}

/* Can datagrams of this message be built here at all? */
static bool udp_group_is_plain(const struct udp_group_send *s,
			       const struct ipcm_cookie *ipc)
{
	u8 tx_flags = 0;

	if (s->msg->msg_flags & (MSG_CONFIRM | MSG_PROBE | MSG_ZEROCOPY |
				 MSG_SPLICE_PAGES))
		return false;
	if (ipc->gso_size)
		return false;
	sock_tx_timestamp(s->sk, ipc->sockc.tsflags, &tx_flags);
	return !tx_flags;
}

/* Get sk_buffs, all before being used up. Whoever has no memory without waiting
 * gets it on the true path.
 */
bool udp_group_refill(struct udp_group_fast *f)
{
	f->nr_skbs = alloc_skb_bulk(GFP_NOWAIT | __GFP_NOWARN, UDP_GROUP_CHUNK,
				    f->skbs);
	return f->nr_skbs;
}

/* What is the same for all members that are sent to by IPv4. */
static bool udp_group_ip4_begin(struct udp_group_fast *f)
{
	struct inet_sock *inet = inet_sk(f->sk);
	struct flowi4 *fl4 = &f->flows.fl4;
	struct ipcm_cookie *ipc = f->ipc;
	struct sock *sk = f->sk;

	if (ipc->opt || rcu_access_pointer(inet->inet_opt))
		return false;
	/* These programs may name another destination */
	if (cgroup_bpf_enabled(CGROUP_UDP4_SENDMSG))
		return false;

	f->ident = atomic_inc_return(&f->s->gs->ident);
	f->ignore_df = ip_sk_ignore_df(sk);
	f->priority = ipc->tos != -1 ? ipc->priority :
				       READ_ONCE(sk->sk_priority);
	flowi4_init_output(fl4, ipc->oif ?: READ_ONCE(inet->uc_index),
			   ipc->sockc.mark, get_rttos(ipc, inet),
			   ip_sendmsg_scope(inet, ipc, f->s->msg),
			   sk->sk_protocol, inet_sk_flowi_flags(sk), 0,
			   ipc->addr, 0, inet->inet_sport, sk->sk_uid);
	security_sk_classify_flow(sk, flowi4_to_flowi_common(fl4));
	udp_group_flow_get4(f->s->gs, &f->flows);
	return true;
}

static void udp_group_forget_ways(struct udp_group_fast *f)
{
	udp_group_path_put(f->path);
	udp_group_path_put(f->other);
	f->path = NULL;
	f->other = NULL;
}

void udp_group_fast_end(struct udp_group_fast *f)
{
	if (f->payload.nr_frags)
		udp_group_payload_free(&f->payload);
	if (unlikely(f->prefixes))
		kvfree(f->prefixes);
	udp_group_fast_free(f);
}

/* Room for what is each member's own, for a batch. */
static int udp_group_init_prefixes(struct udp_group_fast *f)
{
	f->own = f->s->data;
	f->own_slot = f->s->first;
	f->prefixes = kvmalloc_array(UDP_GROUP_BATCH, f->s->private_len,
				     GFP_KERNEL_ACCOUNT);
	return f->prefixes ? 0 : -ENOBUFS;
}

/* Copy what all datagrams have in common, into a head of @room bytes if it fits
 * there, behind what is the member's own.
 */
static int udp_group_init_payload(struct udp_group_fast *f, unsigned int room)
{
	struct udp_group_send *s = f->s;
	unsigned int own = s->private_len;
	struct iov_iter *from = &s->msg->msg_iter;
	size_t len = s->len - own;
	int err;

	room -= UDP_GROUP_HEADROOM + f->headers;
	if (unlikely(own)) {
		if (own > room)
			return -ENOBUFS;
		err = udp_group_init_prefixes(f);
		if (err)
			return err;
		iov_iter_advance(from, iov_iter_count(from) - len);
	}
	return udp_group_payload_init(&f->payload, s->sk, from, len,
				      round_down(room - own,
						 UDP_GROUP_COPY_STEP));
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
					    struct ipcm_cookie *ipc)
{
	bool is_ip6 = s->sk->sk_family == AF_INET6;
	struct udp_group_fast *f;
	unsigned int room;
	int err = -ENOBUFS;

	if (!udp_group_is_plain(s, ipc))
		return NULL;

	f = udp_group_fast_alloc(s->sk->sk_allocation);
	if (!f)
		return NULL;
	f->s = s;
	f->sk = s->sk;
	f->ipc = ipc;
	f->path = NULL;
	f->other = NULL;
	f->prefixes = NULL;
	f->payload.nr_frags = 0;
	f->sport = inet_sk(s->sk)->inet_sport;
	f->headers = is_ip6 ? UDP_GROUP_HEADERS6 : UDP_GROUP_HEADERS;
	f->mark = ipc->sockc.mark;
	f->has_ip4 = !s->err4 && udp_group_ip4_begin(f);
	f->has_ip6 = is_ip6 && !s->err6 && udp_group_ip6_begin(f);
	if (!f->has_ip4 && !f->has_ip6)
		goto end_fast;
	if (!f->nr_skbs && !udp_group_refill(f))
		goto end_fast;

	room = skb_tailroom(f->skbs[0]);
	err = udp_group_init_payload(f, room);
	if (err)
		goto end_fast;
	f->headroom = room - f->headers - s->private_len -
		      round_up(f->payload.copied, UDP_GROUP_COPY_STEP);

	f->truesize = f->skbs[0]->truesize;
	if (f->payload.nr_frags)
		f->truesize += f->payload.len;
	f->has_extras = f->payload.nr_frags || s->depart ||
			ipc->sockc.transmit_time;
	return f;

end_fast:
	udp_group_fast_end(f);
	return err == -EFAULT ? ERR_PTR(err) : NULL;
}

/* Find the member's path, if it can be taken here. */
static __always_inline bool udp_group_find_way(struct udp_group_fast *f,
					       struct udp_group_member *m)
{
	struct udp_group_path *path;
	bool fits;

	/* There is no flow to look up routes for */
	if (!(udp_group_addr_is_ip4(&m->addr) ? f->has_ip4 : f->has_ip6))
		return false;

	path = udp_group_path_get(f->s->gs, f->sk, &f->flows, m);

	rcu_read_lock();
	fits = path && path->dst && udp_group_fits(f, path);
	rcu_read_unlock();
	if (likely(fits))
		f->path = path;
	else
		udp_group_path_put(path);
	return fits;
}

/* The same for one that has another path than the members before it. */
static noinline bool udp_group_find_other_way(struct udp_group_fast *f,
					      struct udp_group_member *m)
{
	udp_group_path_put(f->other);
	f->other = f->path;
	f->path = NULL;
	return udp_group_find_way(f, m);
}

/* Can the member be sent to here, as far as its path goes? */
static bool udp_group_has_way(struct udp_group_fast *f,
			      struct udp_group_member *m)
{
	const struct udp_group_path *path = rcu_access_pointer(m->path);

	/* References keep addresses from becoming another path's */
	if (likely(path && path == f->path))
		return true;
	/* Two ways are often taken in turns, by IPv4 and by IPv6 */
	if (path && path == f->other) {
		swap(f->path, f->other);
		return true;
	}
	return udp_group_find_other_way(f, m);
}

static int udp_group_ask_security(struct udp_group_send *s,
				  struct udp_group_member *m)
{
	struct msghdr *msg = s->msg;

	msg->msg_name = &m->addr;
	msg->msg_namelen = udp_group_addr_len(&m->addr);
	return udp_group_security_sendmsg(s->sk, msg, s->len);
}

/* What is the member's own, for the datagram number @n of the batch. */
static bool udp_group_take_prefix(struct udp_group_fast *f, u32 slot, u32 n)
{
	size_t len = f->s->private_len;

	iov_iter_advance(&f->own, len * (slot - f->own_slot));
	f->own_slot = slot;
	if (!copy_from_iter_full(f->prefixes + len * n, len, &f->own))
		return false;
	f->own_slot++;
	return true;
}

/* Take members from @slot on, up to @max of them or to the first that cannot be
 * sent to here. Returns the slot after the last one that was passed.
 */
static u32 udp_group_collect(struct udp_group_fast *f, u32 slot, u32 max)
{
	struct udp_group_send *s = f->s;
	const struct udp_group_node *leaf = udp_group_leaf(s->v, slot);
	u32 n = 0, end = s->end;

	for (; n < max && slot < end; slot++) {
		struct udp_group_member *m;
		int err;

		if (slot % UDP_GROUP_FANOUT == 0)
			leaf = udp_group_leaf(s->v, slot);
		m = leaf->member[slot % UDP_GROUP_FANOUT];

		if (udp_group_is_nobody(s, slot, m)) {
			udp_group_pass_nobody(s, m);
			continue;
		}
		if (!udp_group_has_way(f, m))
			break;
		if (unlikely(f->prefixes) && !udp_group_take_prefix(f, slot, n))
			break;
		err = udp_group_ask_security(s, m);
		if (unlikely(err)) {
			udp_group_count(s, m, err);
			max--;	/* it is not for nothing */
			continue;
		}
		f->members[n++] = m;
	}
	f->n = n;
	return slot;
}

/* What the IP and UDP layers count for a datagram that was not sent. */
static void udp_group_count_failure(struct net *net,
				    const struct udp_group_member *m,
				    bool is_ip4, bool is_drop)
{
	if (!is_ip4) {
		udp_group_ip6_count_failure(net, m, is_drop);
		return;
	}
	if (is_drop)
		SNMP_INC_STATS(net->mib.udp_statistics, UDP_MIB_SNDBUFERRORS);
	SNMP_INC_STATS(net->mib.ip_statistics, IPSTATS_MIB_OUTDISCARDS);
}

static void udp_group_count_sent(struct udp_group_fast *f, u32 sent, u32 sent4)
{
	struct net *net = sock_net(f->sk);

	f->s->sum.sent += sent;
	SNMP_ADD_STATS(net->mib.udp_statistics, UDP_MIB_OUTDATAGRAMS, sent4);
#if IS_ENABLED(CONFIG_IPV6)
	if (sent4 != sent)
		SNMP_ADD_STATS(net->mib.udp_stats_in6, UDP_MIB_OUTDATAGRAMS,
			       sent - sent4);
#endif
}

static void udp_group_count_batch(struct udp_group_fast *f)
{
	bool all_ip4 = f->sk->sk_family == AF_INET;
	struct net *net = sock_net(f->sk);
	u32 i, n = f->n, sent = 0, sent6 = 0, left = 0;

	for (i = 0; i < n; i++) {
		struct udp_group_member *m = f->members[i];
		bool is_ip4 = all_ip4 || udp_group_addr_is_ip4(&m->addr);
		int err = f->result[i];

		if (unlikely(err > 0 && err != UDP_GROUP_LEFT))
			err = net_xmit_errno(err);
		if (likely(!err)) {
			atomic64_inc(&m->sent);
			sent++;
			sent6 += !is_ip4;
			continue;
		}
		if (err == UDP_GROUP_LEFT) {
			udp_group_count(f->s, m, udp_group_send_left(f->s, m));
			left++;
			continue;
		}
		udp_group_count_failure(net, m, is_ip4, err == -ENOBUFS);
		udp_group_count(f->s, m, err);
	}
	f->s->fast += n - left;
	udp_group_count_sent(f, sent, sent - sent6);
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
	struct udp_group_member *m = udp_group_member_at(s->v, slot);
	u32 room = min(UDP_GROUP_BATCH, s->end - slot);

	if (udp_group_must_ask(f))
		return slot;
	/* Nothing is charged for a batch that does not begin */
	if (!udp_group_is_nobody(s, slot, m) && !udp_group_find_way(f, m))
		return slot;

	room = udp_group_reserve(s->sk, room, f->truesize);
	slot = udp_group_collect(f, slot, room);
	if (unlikely(f->n < room))
		udp_group_unreserve(s->sk, room - f->n, f->truesize);
	if (f->n) {
		udp_group_transmit(f);
		udp_group_count_batch(f);
	}
	/* A path is checked once in a batch */
	udp_group_forget_ways(f);
	return slot;
}
