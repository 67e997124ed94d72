// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: one send, a datagram to every member.
 *
 * Members that the fast path can serve are sent to in batches. Any other is
 * sent to by what sendto() itself runs, the true path: sock_sendmsg() with the
 * member for the destination and the data rewound. So the LSM's hook, cgroup
 * programs, the route lookup, netfilter, the qdisc and the counters act on it
 * as they do on a sendto(), whatever they are.
 */

#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/ip.h>
#include <net/sock.h>
#include <net/udp.h>
#include <trace/events/udp_group.h>
#include "udp_group_impl.h"

/* What is wrong with the message is no member's fault, and ends the send before
 * it begins. The true path parses control messages again for each member.
 */
static int udp_group_check_msg(struct sock *sk, struct msghdr *msg, size_t len,
			       struct ipcm_cookie *ipc)
{
	int err;

	if (len > 0xFFFF)
		return -EMSGSIZE;
	/* A datagram in the making belongs to one destination */
	if (msg->msg_flags & (MSG_OOB | MSG_MORE) || udp_test_bit(CORK, sk))
		return -EOPNOTSUPP;

	ipcm_init_sk(ipc, inet_sk(sk));
	ipc->gso_size = READ_ONCE(udp_sk(sk)->gso_size);
	if (!msg->msg_controllen)
		return 0;

	err = udp_cmsg_send(sk, msg, &ipc->gso_size);
	if (err > 0)
		err = ip_cmsg_send(sk, msg, ipc, false);
	if (err)
		kfree(ipc->opt);
	return err;
}

/* Does an error end the send, or is it the member's alone? The errno does not
 * say: a security module or a BPF program can answer any for one member. It
 * ends the send if what it stands for is so.
 */
static bool udp_group_is_final(const struct udp_group_send *s, int err)
{
	struct iov_iter data = s->data;

	switch (err) {
	case -EAGAIN:
		return !udp_group_has_room(s->sk);
	case -EINTR:
	case -ERESTARTSYS:
		return signal_pending(current);
	case -EPIPE:
		return READ_ONCE(s->sk->sk_shutdown) & SEND_SHUTDOWN;
	case -EFAULT:
		return fault_in_iov_iter_readable(&data, s->len);
	default:
		return false;
	}
}

/* Send to a member as sendto() does. */
int udp_group_send_true(struct udp_group_send *s, struct udp_group_member *m)
{
	int err;

	s->msg->msg_iter = s->data;
	s->msg->msg_name = &m->addr;
	s->msg->msg_namelen = sizeof(m->addr.in);

	err = sock_sendmsg(s->sk->sk_socket, s->msg);
	return err < 0 ? err : 0;
}

/* Write down what became of a member's datagram: 0 or an errno. */
void udp_group_count(struct udp_group_send *s, struct udp_group_member *m,
		     int err)
{
	if (likely(!err)) {
		atomic64_inc(&m->sent);
		s->sum.sent++;
		return;
	}

	atomic64_inc(&m->failed);
	s->sum.failed++;
	udp_group_member_error(m, -err);
	ip_local_error(s->sk, -err, m->addr.in.sin_addr.s_addr,
		       m->addr.in.sin_port, 0);
}

/* Pass one slot on the true path. An error is one that ends the send. */
static int udp_group_pass_slot(struct udp_group_send *s, u32 slot)
{
	struct udp_group_member *m = &s->t->slot[slot];
	int err;

	if (udp_group_is_hole(m)) {
		s->sum.holes++;
		return 0;
	}

	err = udp_group_send_true(s, m);
	/* Was it the buffer, and has room come since? */
	if (unlikely(err == -EAGAIN) && udp_group_has_room(s->sk))
		err = udp_group_send_true(s, m);
	if (unlikely(err) && udp_group_is_final(s, err))
		return err;
	udp_group_count(s, m, err);
	return 0;
}

/* Returns the number of slots passed, and in *errp why it was not all. */
static u32 udp_group_send_table(struct udp_group_send *s,
				struct udp_group_fast *f, int *errp)
{
	u32 next, slot = 0;
	int err = 0;

	for (;;) {
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		err = udp_group_wait_until_ready(s->sk, &s->timeo);
		if (err)
			break;

		next = f ? udp_group_fast_send(f, slot) : slot;
		if (unlikely(next == slot)) {
			err = udp_group_pass_slot(s, slot);
			if (err)
				break;
			next++;
		}
		slot = next;
		if (slot >= s->t->slots)
			break;
		/* As many members as the user likes, but not uninterrupted */
		cond_resched();
	}
	*errp = err;
	return slot;
}

static void udp_group_add_totals(const struct udp_group_send *s)
{
	struct udp_group_totals *totals = &s->gs->totals;

	spin_lock_bh(&s->gs->lock);
	totals->sends++;
	totals->sent += s->sum.sent;
	if (unlikely(s->sum.sent != s->t->slots)) {
		totals->failed += s->sum.failed;
		totals->skipped += s->sum.skipped;
		totals->holes += s->sum.holes;
		totals->unreached += s->sum.unreached;
	}
	spin_unlock_bh(&s->gs->lock);
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
	struct udp_group_send s = {
		.sk = sk, .msg = msg, .data = msg->msg_iter, .len = len,
		.timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT),
		.gs = udp_group_sock(group),
	};
	struct udp_group_fast *f;
	struct ipcm_cookie ipc;
	int flags, err;
	u32 passed = 0;

	err = udp_group_check_msg(sk, msg, len, &ipc);
	if (err)
		return err;

	s.t = udp_group_table_get(s.gs);
	if (!s.t) {
		err = -EDESTADDRREQ;	/* dissolved just now */
		goto free_options;
	}

	trace_udp_group_send_begin(sk, s.t->generation, s.t->members, len);

	if (!s.timeo && !udp_group_has_room_for(sk, s.t->members, len)) {
		sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
		UDP_INC_STATS(sock_net(sk), UDP_MIB_SNDBUFERRORS, 0);
		err = -EAGAIN;
		goto put_table;
	}

	f = udp_group_fast_begin(&s, &ipc);
	if (IS_ERR(f)) {
		err = PTR_ERR(f);
		goto put_table;
	}

	flags = msg->msg_flags;
	msg->msg_flags |= MSG_REPORT_DROP;
	passed = udp_group_send_table(&s, f, &err);
	msg->msg_flags = flags;
	msg->msg_name = NULL;
	msg->msg_namelen = 0;
	if (f)
		udp_group_fast_end(f);

	if (passed) {
		/* Unless the last one failed before that, they are used up */
		if (unlikely(iov_iter_count(&msg->msg_iter)))
			iov_iter_advance(&msg->msg_iter,
					 iov_iter_count(&msg->msg_iter));
		s.sum.unreached = s.t->members - s.sum.sent - s.sum.failed;
		udp_group_add_totals(&s);
		err = 0;
	} else {
		/* Nothing of the data is used up if nothing was sent */
		msg->msg_iter = s.data;
	}

put_table:
	trace_udp_group_send_end(sk, s.t->generation, passed, s.fast,
				 s.sum.sent, s.sum.failed, s.sum.unreached,
				 err);
	udp_group_table_put(s.gs, s.t);
free_options:
	if (msg->msg_controllen)
		kfree(ipc.opt);
	return err ?: len;
}
