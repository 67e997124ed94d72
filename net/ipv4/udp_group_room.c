// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: room in the send buffer, and waiting for it.
 */

#include <linux/errqueue.h>
#include <linux/if_ether.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/udp.h>
#include "udp_group_impl.h"

/* What a datagram is charged to the socket with, as __alloc_skb() sizes it: a
 * small head, or the next size that kmalloc() has. Which path it will take is
 * not known here, so it is what it is whole or in fragments of 1,500 bytes,
 * whichever is more.
 */
static u32 udp_group_truesize(const struct sock *sk, size_t len)
{
	const u32 room = 2 * HH_DATA_MOD;	/* link header, alignment */
	u32 small = SKB_HEAD_ALIGN(MAX_TCP_HEADER);
	u32 head = sizeof(struct iphdr), frag = 0;
	u32 size, frags, whole;

	if (sk->sk_family == AF_INET6) {
		head = sizeof(struct ipv6hdr);
		frag = sizeof(struct frag_hdr);
	}

	if (is_power_of_2(small))
		small += L1_CACHE_BYTES;

	size = SKB_HEAD_ALIGN(room + head + sizeof(struct udphdr) + len);
	whole = SKB_DATA_ALIGN(sizeof(struct sk_buff)) +
		(size <= small ? small : kmalloc_size_roundup(size));
	if (len <= ETH_DATA_LEN - head - sizeof(struct udphdr))
		return whole;

	frags = DIV_ROUND_UP(len + sizeof(struct udphdr),
			     round_down(ETH_DATA_LEN - head - frag, 8));
	size = SKB_HEAD_ALIGN(room + ETH_DATA_LEN);
	return max(whole, frags * (SKB_DATA_ALIGN(sizeof(struct sk_buff)) +
				   kmalloc_size_roundup(size)));
}

/* A send that may not wait starts only if there is room for all that it is
 * for, or if there never will be more: the buffer is empty. Then a program
 * that tries again at EAGAIN does not send to the first members twice.
 */
bool udp_group_has_room_for(const struct sock *sk, u32 members, size_t len)
{
	u64 used = sk_wmem_alloc_get(sk);

	if (!used)
		return true;
	return used + (u64)members * udp_group_truesize(sk, len) <=
	       READ_ONCE(sk->sk_sndbuf);
}

void udp_group_unreserve(struct sock *sk, u32 n, u32 truesize)
{
	if (!n)
		return;
	WARN_ON(refcount_sub_and_test(n * truesize, &sk->sk_wmem_alloc));
	/* Others may have gone to sleep for it, and no datagram wakes them */
	sk->sk_write_space(sk);
}

/* Others were charged at the same time: what is too much now is given back. */
u32 udp_group_reserve_less(struct sock *sk, int sndbuf, int used, u32 n,
			   u32 truesize)
{
	u32 granted = udp_group_room_for(sndbuf, used, n, truesize);

	udp_group_unreserve(sk, n - granted, truesize);
	return granted;
}

/* Is there something that ends the wait for room? */
static bool udp_group_stirs(const struct sock *sk)
{
	return udp_group_has_room(sk) || READ_ONCE(sk->sk_err) ||
	       (READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN);
}

/* Wait until one more datagram may be charged to the socket, or something is
 * wrong with it, for as long as is left of the timeout of the whole send:
 * sock_alloc_send_skb() would begin a new one for each member. That there is
 * room when the time is over is no reason to go on: there is time again for
 * a moment, and for the next one, as long as datagrams leave.
 */
static noinline int udp_group_wait(struct sock *sk, long timeo,
				   unsigned long deadline)
{
	long left = timeo;
	int err = -EAGAIN;

	if (timeo != MAX_SCHEDULE_TIMEOUT)
		left = deadline - jiffies;
	if (left > 0) {
		sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
		left = wait_event_interruptible_timeout(*sk_sleep(sk),
							udp_group_stirs(sk),
							left);
		if (left > 0)
			return 0;
		if (left < 0)
			err = sock_intr_errno(timeo);
	}
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
	u8 origin = SO_EE_ORIGIN_NONE;
	struct sk_buff *skb;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	skb = skb_peek(q);
	if (skb)
		origin = SKB_EXT_ERR(skb)->ee.ee_origin;
	spin_unlock_irqrestore(&q->lock, flags);
	/* See is_icmp_err_skb() */
	return origin == SO_EE_ORIGIN_ICMP || origin == SO_EE_ORIGIN_ICMP6;
}

/* What is wrong with the socket is no member's fault, and ends the send. */
static noinline int udp_group_sock_error(struct sock *sk)
{
	if (READ_ONCE(sk->sk_err)) {
		bool queued = udp_group_error_is_queued(sk);
		int err = sock_error(sk);

		if (err && !queued)
			return err;
	}
	return READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN ? -EPIPE : 0;
}

int udp_group_get_ready(struct sock *sk, long timeo, unsigned long deadline)
{
	int err;

	for (;;) {
		if (unlikely(READ_ONCE(sk->sk_err) ||
			     READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)) {
			err = udp_group_sock_error(sk);
			if (err)
				return err;
		}
		if (!timeo || udp_group_has_room(sk))
			return 0;
		err = udp_group_wait(sk, timeo, deadline);
		if (err)
			return err;
	}
}
