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

/* The true path parses control messages again for each member. */
static noinline int udp_group_check_cmsg(struct udp_group_send *s,
					 struct ipcm_cookie *ipc)
{
	struct msghdr *msg = s->msg;
	struct sock *sk = s->sk;
	int err;

	err = udp_group_cmsg_read(s);
	if (err || !msg->msg_controllen)
		return err;
	err = udp_cmsg_send(sk, msg, &ipc->gso_size);
	if (err > 0)
		err = ip_cmsg_send(sk, msg, ipc, sk->sk_family == AF_INET6);
	if (sk->sk_family == AF_INET)
		return err;

	/* What is good for one family only fails members of the other */
	s->err4 = err;
	s->err6 = udp_group_ip6_check_cmsg(sk, msg, &ipc->sockc);
	return s->err4 && s->err6 ? s->err6 : 0;
}

/* What is wrong with the message is no member's fault, and ends the send before
 * it begins.
 */
static int udp_group_check_msg(struct udp_group_send *s,
			       struct ipcm_cookie *ipc)
{
	struct msghdr *msg = s->msg;
	struct sock *sk = s->sk;

	ipcm_init_sk(ipc, inet_sk(sk));
	ipc->gso_size = READ_ONCE(udp_sk(sk)->gso_size);

	/* A datagram in the making belongs to one destination */
	if (msg->msg_flags & (MSG_OOB | MSG_MORE) || udp_test_bit(CORK, sk))
		return -EOPNOTSUPP;
	/* Whoever splices takes the return value for bytes of the pipe */
	if (msg->msg_flags & MSG_SPLICE_PAGES && s->counts)
		return -EOPNOTSUPP;

	if (likely(!msg->msg_controllen))
		return 0;
	return udp_group_check_cmsg(s, ipc);
}

/* The version of the group that the send is for, and the part of it. */
static int udp_group_begin(struct udp_group_send *s)
{
	int err;

	do {
		if (s->v)
			udp_group_version_put(s->gs, s->v);
		s->v = udp_group_version_get(s->gs);
		if (!s->v)
			return -EDESTADDRREQ;	/* dissolved just now */
		s->end = s->v->slots;
		s->members = s->v->members;
		err = unlikely(s->cmsg) ? udp_group_cmsg_apply(s) : 0;
	} while (err == -EAGAIN && !fatal_signal_pending(current));
	if (err)
		return err == -EAGAIN ? -EINTR : err;

	/* It fails the send if there are no others */
	if (unlikely(s->err4 | s->err6)) {
		if (s->err4 && s->v->ip4 == s->v->members)
			return s->err4;
		if (s->err6 && !s->v->ip4)
			return s->err6;
	}

	if (s->len > 0xFFFF)
		return -EMSGSIZE;
	if (s->first == s->end && !s->counts)
		return -EDESTADDRREQ;
	return 0;
}

/* Does an error end the send, or is it the member's alone? The errno does not
 * say: a security module or a BPF program can answer any for one member. It
 * ends the send if what it stands for is so. See udp_group_try_true() for
 * EAGAIN.
 */
static bool udp_group_is_final(const struct udp_group_send *s, int err)
{
	struct iov_iter data = s->data;

	switch (err) {
	case -EINTR:
	case -ERESTARTSYS:
		return signal_pending(current);
	case -EPIPE:
		return READ_ONCE(s->sk->sk_shutdown) & SEND_SHUTDOWN;
	case -EFAULT:
		return fault_in_iov_iter_readable(&data,
						  iov_iter_count(&data));
	default:
		return false;
	}
}

/* The datagram of a member that has a part of its own: that, and behind it what
 * is shared.
 */
static int udp_group_compose(struct udp_group_send *s, u32 slot)
{
	size_t shared_len = s->len - s->private_len;
	struct iov_iter from;
	void *scratch;

	if (!s->scratch) {
		scratch = kvmalloc(s->len, GFP_KERNEL_ACCOUNT);
		if (!scratch)
			return -ENOBUFS;
		from = s->data;
		iov_iter_advance(&from, iov_iter_count(&from) - shared_len);
		if (!copy_from_iter_full(scratch + s->private_len,
					 shared_len, &from)) {
			kvfree(scratch);
			return -EFAULT;
		}
		/* Others rely on it: pages may come and go */
		s->scratch = scratch;
	}

	from = s->data;
	iov_iter_advance(&from, (size_t)s->private_len * (slot - s->first));
	if (!copy_from_iter_full(s->scratch, s->private_len, &from))
		return -EFAULT;
	return 0;
}

/* Send to a member as sendto() does. */
static int udp_group_send_true(struct udp_group_send *s,
			       struct udp_group_member *m)
{
	union udp_group_addr addr = m->addr;	/* BPF may rewrite it */
	struct kvec vec;
	int err;

	s->msg->msg_iter = s->data;
	if (unlikely(s->private_len)) {
		err = udp_group_compose(s, m->slot);
		if (err)
			return err;
		vec.iov_base = s->scratch;
		vec.iov_len = s->len;
		iov_iter_kvec(&s->msg->msg_iter, ITER_SOURCE, &vec, 1, s->len);
	}
	if (unlikely(s->depart))
		*s->cmsg->txtime = udp_group_departure(s, m->slot);
	s->msg->msg_name = &addr;
	s->msg->msg_namelen = udp_group_addr_len(&addr);

	err = sock_sendmsg(s->sk->sk_socket, s->msg);
	s->msg->msg_name = NULL;
	return err < 0 ? err : 0;
}

/* How often a member is tried whose datagram met a full buffer that is not full
 * any more.
 */
#define UDP_GROUP_TRIES	16

/* Send to a member, and if the buffer is full in between, once more. That is
 * looked at once for each try: a full buffer must not become the failure of
 * a member because there is room again a moment later.
 */
static int udp_group_try_true(struct udp_group_send *s,
			      struct udp_group_member *m, bool *is_full)
{
	int err, i;

	*is_full = false;
	for (i = 0; i < UDP_GROUP_TRIES; i++) {
		err = udp_group_send_true(s, m);
		if (likely(err != -EAGAIN))
			return err;
		*is_full = !udp_group_has_room(s->sk);
		if (*is_full)
			return err;
	}
	return err;	/* somebody's answer to this member, not the buffer's */
}

/* Send to a member that the fast path leaves over when its slot is passed. It
 * had room there, which may be another's by now.
 */
int udp_group_send_left(struct udp_group_send *s, struct udp_group_member *m)
{
	bool is_full;

	return udp_group_try_true(s, m, &is_full);
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
	if (m->addr.family == AF_INET)
		ip_local_error(s->sk, -err, m->addr.in.sin_addr.s_addr,
			       m->addr.in.sin_port, 0);
	else if (udp_group_addr_is_ip4(&m->addr))
		ip_local_error(s->sk, -err, m->addr.in6.sin6_addr.s6_addr32[3],
			       m->addr.in6.sin6_port, 0);
	else
		udp_group_ip6_local_error(s->sk, -err, &m->addr.in6);
}

/* Pass a slot that nothing is sent for: a hole, or one to be left out. */
void udp_group_pass_nobody(struct udp_group_send *s,
			   struct udp_group_member *m)
{
	if (!m) {
		s->sum.holes++;
		return;
	}
	atomic64_inc(&m->skipped);
	s->next_skip = s->cmsg->skip[++s->sum.skipped];
}

/* Pass one slot on the true path. An error is one that ends the send. */
static int udp_group_pass_slot(struct udp_group_send *s, u32 slot)
{
	struct udp_group_member *m = udp_group_member_at(s->v, slot);
	bool is_full;
	int err;

	if (udp_group_is_nobody(s, slot, m)) {
		udp_group_pass_nobody(s, m);
		return 0;
	}

	err = udp_group_try_true(s, m, &is_full);
	if (unlikely(is_full))
		return err;
	if (unlikely(err) && udp_group_is_final(s, err))
		return err;
	udp_group_count(s, m, err);
	return 0;
}

/* Returns the slot after the last one passed, and in *errp why that is not the
 * last one.
 */
static u32 udp_group_send_range(struct udp_group_send *s,
				struct udp_group_fast *f, int *errp)
{
	u32 next, slot = s->first;
	int err = 0;

	while (slot < s->end) {
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		err = udp_group_wait_until_ready(s->sk, s->timeo, s->deadline);
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
		/* As many members as the user likes, but not uninterrupted */
		if (slot < s->end)
			cond_resched();
	}
	*errp = err;
	return slot;
}

static void udp_group_add_totals(const struct udp_group_send *s)
{
	struct udp_group_totals *totals = &s->gs->totals;

	spin_lock(&s->gs->totals_lock);
	totals->sends++;
	totals->sent += s->sum.sent;
	if (unlikely(s->sum.sent != s->v->slots)) {
		totals->failed += s->sum.failed;
		totals->skipped += s->sum.skipped;
		totals->holes += s->sum.holes;
		totals->unreached += s->sum.unreached;
	}
	spin_unlock(&s->gs->totals_lock);
}

static u32 udp_group_nr_skip(const struct udp_group_send *s)
{
	return s->cmsg ? s->cmsg->nr_skip : 0;
}

/* What send returns if it was not stopped before the first slot. */
static int udp_group_result(struct udp_group_send *s, u32 passed,
			    size_t len)
{
	struct iov_iter *iter = &s->msg->msg_iter;

	/* Most often they are used up */
	if (unlikely(iov_iter_count(iter) || s->private_len)) {
		*iter = s->data;
		iov_iter_advance(iter, len);
	}
	if (!passed)
		return 0;	/* of no slots */
	/* Who counts slots goes on with those that were not passed */
	if (!s->counts)
		s->sum.unreached = s->members - s->sum.sent - s->sum.failed -
				   s->sum.skipped;
	udp_group_add_totals(s);
	return s->counts ? passed : len;
}

/**
 * udp_group_sendmsg - send a message to every member of the socket's group
 * @sk: the socket
 * @msg: the message, without a destination
 * @len: length of its data
 * @group: the socket's group
 *
 * Return: @len, or the number of slots passed if the socket has GRP_F_COUNT,
 * if at least one slot was passed, whatever became of it: that is the member's
 * record to tell. Otherwise what stopped the send.
 */
int udp_group_sendmsg(struct sock *sk, struct msghdr *msg, size_t len,
		      struct udp_group *group)
{
	struct udp_group_send s = {
		.sk = sk, .msg = msg, .data = msg->msg_iter, .len = len,
		.timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT),
		.gs = udp_group_sock(group), .next_skip = U32_MAX,
		.counts = READ_ONCE(udp_group_sock(group)->flags) & GRP_F_COUNT,
	};
	struct udp_group_fast *f;
	struct ipcm_cookie ipc;
	int flags, err, ret;
	u32 passed = 0;

	if (len > UDP_GROUP_MAX_DATA)
		return -EMSGSIZE;

	err = udp_group_check_msg(&s, &ipc);
	if (!err)
		err = udp_group_begin(&s);
	if (err)
		goto end_send;

	trace_udp_group_send_begin(sk, s.v->generation, s.members, s.len);

	if (!s.timeo && !s.counts &&
	    !udp_group_has_room_for(sk, s.members - udp_group_nr_skip(&s),
				    s.len)) {
		sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
		UDP_INC_STATS(sock_net(sk), UDP_MIB_SNDBUFERRORS, 0);
		err = -EAGAIN;
		goto end_trace;
	}

	f = udp_group_fast_begin(&s, &ipc);
	if (IS_ERR(f)) {
		err = PTR_ERR(f);
		goto end_trace;
	}

	s.deadline = jiffies + s.timeo;
	flags = msg->msg_flags;
	msg->msg_flags |= MSG_REPORT_DROP;
	passed = udp_group_send_range(&s, f, &err) - s.first;
	msg->msg_flags = flags;
	msg->msg_name = NULL;
	msg->msg_namelen = 0;
	if (f)
		udp_group_fast_end(f);

end_trace:
	ret = passed || !err ? udp_group_result(&s, passed, len) : err;
	trace_udp_group_send_end(sk, s.v->generation, passed, s.fast,
				 s.sum.sent, s.sum.failed, s.sum.unreached,
				 passed ? 0 : err);
	err = ret;
end_send:
	if (err < 0)
		/* Nothing of the data is used up if nothing was sent */
		msg->msg_iter = s.data;
	if (s.v)
		udp_group_version_put(s.gs, s.v);
	if (unlikely(s.scratch))
		kvfree(s.scratch);
	if (unlikely(s.cmsg))
		udp_group_cmsg_end(&s);
	if (msg->msg_controllen)
		kfree(ipc.opt);
	return err;
}
