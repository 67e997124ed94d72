// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: one send, a datagram to every member.
 *
 * Each member is sent to by what sendto() itself runs: sock_sendmsg() with the
 * member for the destination and the data rewound. So the LSM's hook, cgroup
 * programs, the route lookup, netfilter, the qdisc and the counters act on it
 * as they do on a sendto(), whatever they are.
 */

#include <linux/errqueue.h>
#include <linux/if_ether.h>
#include <linux/log2.h>
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/ip.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/udp.h>
#include <trace/events/udp_group.h>
#include "udp_group_impl.h"

static bool udp_group_has_room(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk) < READ_ONCE(sk->sk_sndbuf);
}

/* What a datagram is charged to the socket with, as __alloc_skb() sizes it: a
 * small head, or the next size that kmalloc() has. Which path it will take is
 * not known here, so it is what it is whole or in fragments of 1,500 bytes,
 * whichever is more.
 */
static u32 udp_group_truesize(size_t len)
{
	const u32 room = 2 * HH_DATA_MOD;	/* link header, alignment */
	u32 small = SKB_HEAD_ALIGN(MAX_TCP_HEADER);
	u32 size, frags, whole;

	if (is_power_of_2(small))
		small += L1_CACHE_BYTES;

	size = SKB_HEAD_ALIGN(room + sizeof(struct iphdr) +
			      sizeof(struct udphdr) + len);
	whole = SKB_DATA_ALIGN(sizeof(struct sk_buff)) +
		(size <= small ? small : kmalloc_size_roundup(size));
	if (len <= ETH_DATA_LEN - sizeof(struct iphdr) - sizeof(struct udphdr))
		return whole;

	frags = DIV_ROUND_UP(len + sizeof(struct udphdr),
			     ETH_DATA_LEN - sizeof(struct iphdr));
	size = SKB_HEAD_ALIGN(room + ETH_DATA_LEN);
	return max(whole, frags * (SKB_DATA_ALIGN(sizeof(struct sk_buff)) +
				   kmalloc_size_roundup(size)));
}

/* A send that may not wait starts only if there is room for all that it is
 * for, or if there never will be more: the buffer is empty. Then a program
 * that tries again at EAGAIN does not send to the first members twice.
 */
static bool udp_group_has_room_for(const struct sock *sk, u32 members,
				   size_t len)
{
	u64 used = sk_wmem_alloc_get(sk);

	if (!used)
		return true;
	return used + (u64)members * udp_group_truesize(len) <=
	       READ_ONCE(sk->sk_sndbuf);
}

/* Wait until one more datagram may be charged to the socket, or something is
 * wrong with it, for as long as is left of the timeout of the whole send:
 * sock_alloc_send_skb() would begin a new one for each member.
 */
static int udp_group_wait(struct sock *sk, long *timeo)
{
	int err = 0;
	long left;

	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	left = wait_event_interruptible_timeout(*sk_sleep(sk),
						udp_group_has_room(sk) ||
						READ_ONCE(sk->sk_err) ||
						(READ_ONCE(sk->sk_shutdown) &
						 SEND_SHUTDOWN),
						*timeo);
	if (left < 0)
		err = sock_intr_errno(*timeo);
	else if (!left)
		err = -EAGAIN;
	else if (*timeo != MAX_SCHEDULE_TIMEOUT)
		*timeo = left;

	if (err)
		UDP_INC_STATS(sock_net(sk), UDP_MIB_SNDBUFERRORS, 0);
	return err;
}

/* Whoever reads an ICMP error from the error queue leaves the errno of the next
 * one in sk_err. That one has been counted with its member, and is reported by
 * the queue.
 */
static bool udp_group_error_is_queued(struct sock *sk)
{
	struct sk_buff_head *q = &sk->sk_error_queue;
	struct sk_buff *skb;
	unsigned long flags;
	bool ret;

	spin_lock_irqsave(&q->lock, flags);
	skb = skb_peek(q);
	ret = skb && SKB_EXT_ERR(skb)->ee.ee_origin == SO_EE_ORIGIN_ICMP;
	spin_unlock_irqrestore(&q->lock, flags);
	return ret;
}

/* What is wrong with the socket is no member's fault, and ends the send. */
static int udp_group_sock_error(struct sock *sk)
{
	if (unlikely(READ_ONCE(sk->sk_err))) {
		bool queued = udp_group_error_is_queued(sk);
		int err = sock_error(sk);

		if (err && !queued)
			return err;
	}
	if (unlikely(READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN))
		return -EPIPE;
	return 0;
}

static int udp_group_wait_until_ready(struct sock *sk, long *timeo)
{
	int err;

	for (;;) {
		err = udp_group_sock_error(sk);
		if (err || !*timeo || likely(udp_group_has_room(sk)))
			return err;
		err = udp_group_wait(sk, timeo);
		if (err)
			return err;
	}
}

/* Neither is what is wrong with the message. Control messages are parsed again
 * for each member; here it is only seen whether they can be.
 */
static int udp_group_check_msg(struct sock *sk, struct msghdr *msg, size_t len)
{
	struct ipcm_cookie ipc;
	int err;

	if (len > 0xFFFF)
		return -EMSGSIZE;
	/* A datagram in the making belongs to one destination */
	if (msg->msg_flags & (MSG_OOB | MSG_MORE) || udp_test_bit(CORK, sk))
		return -EOPNOTSUPP;
	if (!msg->msg_controllen)
		return 0;

	ipcm_init_sk(&ipc, inet_sk(sk));
	err = udp_cmsg_send(sk, msg, &ipc.gso_size);
	if (err > 0)
		err = ip_cmsg_send(sk, msg, &ipc, false);
	kfree(ipc.opt);
	return err;
}

/* Does an error end the send, or is it the member's alone? The errno does not
 * say: a security module or a BPF program can answer any for one member. It
 * ends the send if what it stands for is so.
 */
static bool udp_group_is_final(const struct sock *sk, struct msghdr *msg,
			       const struct iov_iter *data, int err)
{
	switch (err) {
	case -EAGAIN:
		return !udp_group_has_room(sk);
	case -EINTR:
	case -ERESTARTSYS:
		return signal_pending(current);
	case -EPIPE:
		return READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN;
	case -EFAULT:
		msg->msg_iter = *data;
		return fault_in_iov_iter_readable(&msg->msg_iter,
						  iov_iter_count(data));
	default:
		return false;
	}
}

static int udp_group_send_member(struct sock *sk, struct msghdr *msg,
				 const struct iov_iter *data,
				 struct udp_group_member *m)
{
	int err;

	msg->msg_iter = *data;
	msg->msg_name = &m->addr;
	msg->msg_namelen = sizeof(m->addr.in);

	err = sock_sendmsg(sk->sk_socket, msg);
	return err < 0 ? err : 0;
}

static void udp_group_member_failed(struct sock *sk,
				    struct udp_group_member *m, int err)
{
	atomic64_inc(&m->failed);
	udp_group_member_error(m, -err);
	ip_local_error(sk, -err, m->addr.in.sin_addr.s_addr,
		       m->addr.in.sin_port, 0);
}

/* Returns the number of slots passed, and in *errp why it was not all. */
static u32 udp_group_send_table(struct sock *sk, struct msghdr *msg,
				struct udp_group_table *t, long timeo,
				struct udp_group_totals *sum, int *errp)
{
	const struct iov_iter data = msg->msg_iter;
	int err = 0;
	u32 slot;

	for (slot = 0; slot < t->slots; slot++) {
		struct udp_group_member *m = &t->slot[slot];

		/* As many members as the user likes, but not uninterrupted */
		cond_resched();
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}

		if (udp_group_is_hole(m)) {
			sum->holes++;
			continue;
		}

		err = udp_group_wait_until_ready(sk, &timeo);
		if (err)
			break;

		err = udp_group_send_member(sk, msg, &data, m);
		/* Was it the buffer, and has room come since? */
		if (unlikely(err == -EAGAIN) && udp_group_has_room(sk))
			err = udp_group_send_member(sk, msg, &data, m);
		if (likely(!err)) {
			atomic64_inc(&m->sent);
			sum->sent++;
			continue;
		}
		if (udp_group_is_final(sk, msg, &data, err))
			break;
		udp_group_member_failed(sk, m, err);
		sum->failed++;
		err = 0;
	}

	/* Nothing of the data is used up if nothing was sent */
	if (!slot)
		msg->msg_iter = data;
	*errp = err;
	return slot;
}

static void udp_group_add_totals(struct udp_group_sock *gs,
				 const struct udp_group_totals *sum)
{
	spin_lock_bh(&gs->lock);
	gs->totals.sends++;
	gs->totals.sent += sum->sent;
	gs->totals.failed += sum->failed;
	gs->totals.skipped += sum->skipped;
	gs->totals.holes += sum->holes;
	gs->totals.unreached += sum->unreached;
	spin_unlock_bh(&gs->lock);
}

/**
 * udp_group_sendmsg - send a message to every member of the socket's group
 * @sk: the socket
 * @msg: the message, without a destination
 * @len: length of its data
 * @group: the socket's group
 *
 * Return: @len if at least one slot was passed, whatever became of it: that
 * is the member's record to tell. Otherwise what stopped the send.
 */
int udp_group_sendmsg(struct sock *sk, struct msghdr *msg, size_t len,
		      struct udp_group *group)
{
	long timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	struct udp_group_sock *gs = udp_group_sock(group);
	struct udp_group_totals sum = {};
	struct udp_group_table *t;
	int flags, err;
	u32 passed = 0;

	err = udp_group_check_msg(sk, msg, len);
	if (err)
		return err;

	t = udp_group_table_get(gs);
	if (!t)
		return -EDESTADDRREQ;	/* dissolved just now */

	trace_udp_group_send_begin(sk, t->generation, t->members, len);

	if (!timeo && !udp_group_has_room_for(sk, t->members, len)) {
		sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
		UDP_INC_STATS(sock_net(sk), UDP_MIB_SNDBUFERRORS, 0);
		err = -EAGAIN;
		goto put_table;
	}

	flags = msg->msg_flags;
	msg->msg_flags |= MSG_REPORT_DROP;
	passed = udp_group_send_table(sk, msg, t, timeo, &sum, &err);
	msg->msg_flags = flags;
	msg->msg_name = NULL;
	msg->msg_namelen = 0;

	if (passed) {
		sum.unreached = t->members - sum.sent - sum.failed;
		udp_group_add_totals(gs, &sum);
		err = 0;
	}

put_table:
	trace_udp_group_send_end(sk, t->generation, passed, sum.sent,
				 sum.failed, sum.unreached, err);
	udp_group_table_put(gs, t);
	return err ?: len;
}
