// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: who is in the group.
 */

#include <linux/skmsg.h>
#include <linux/slab.h>
#include <net/sock.h>
#include "udp_group_impl.h"

static struct udp_group_sock *udp_group_create(struct sock *sk)
{
	struct udp_group_sock *gs;

	gs = kzalloc(sizeof(*gs), GFP_KERNEL_ACCOUNT);
	if (!gs)
		return NULL;

	spin_lock_init(&gs->lock);
	seqcount_spinlock_init(&gs->flow_seq, &gs->lock);
	gs->group.ops = &udp_group_ops;
	udp_group_attach(sk, &gs->group);
	return gs;
}

static bool udp_group_in_sockmap(const struct sock *sk)
{
	bool ret;

	rcu_read_lock();
	ret = sk_psock(sk);
	rcu_read_unlock();
	return ret;
}

/* Can this socket have a group at all, as it is now? */
static int udp_group_check_sock(const struct sock *sk)
{
	if (sk->sk_state == TCP_ESTABLISHED)
		return -EISCONN;
	if (udp_test_bit(CORK, sk) || READ_ONCE(udp_sk(sk)->pending))
		return -EBUSY;
	/* Tunnels and sockmaps have taken the socket for themselves */
	if (READ_ONCE(udp_sk(sk)->encap_type) || udp_group_in_sockmap(sk))
		return -EBUSY;
	return 0;
}

/* Put a table, or none, in the place of the one in use. */
static int udp_group_replace(struct sock *sk, struct udp_group_table *t)
{
	struct udp_group_sock *gs = udp_group_of_sock(sk);
	struct udp_group_table *old;

	if (!gs) {
		if (!t)
			return 0;
		gs = udp_group_create(sk);
		if (!gs)
			return -ENOMEM;
	}

	if (t) {
		if (atomic_read(&gs->tables) >= UDP_GROUP_MAX_TABLES)
			return -EBUSY;
		atomic_inc(&gs->tables);
		t->generation = gs->generation + 1;
	}

	spin_lock_bh(&gs->lock);
	old = udp_group_table_swap(gs, t);
	if (t || old)
		gs->generation++;
	/* Pairs with READ_ONCE() in udp_group_get_active(), which only asks
	 * whether to come here; the table is what a send goes by.
	 */
	WRITE_ONCE(gs->group.members, t ? t->members : 0);
	spin_unlock_bh(&gs->lock);

	if (old)
		udp_group_table_put(gs, old);
	if (!t)
		udp_group_paths_forget(gs);
	return 0;
}

int udp_group_set_members(struct sock *sk, sockptr_t optval,
			  unsigned int optlen)
{
	struct udp_group_table *t = NULL;
	void *addrs;
	int err;

	/* Before memory is taken for it; the parse counts exactly */
	if (optlen > UDP_GROUP_MAX_MEMBERS * sizeof(struct sockaddr_in6))
		return -ENOBUFS;

	if (optlen) {
		addrs = kvmalloc(optlen, GFP_KERNEL_ACCOUNT);
		if (!addrs)
			return -ENOMEM;
		if (copy_from_sockptr(addrs, optval, optlen)) {
			kvfree(addrs);
			return -EFAULT;
		}
		t = udp_group_table_parse(addrs, optlen);
		kvfree(addrs);
		if (IS_ERR(t))
			return PTR_ERR(t);
	}

	sockopt_lock_sock(sk);
	err = udp_group_check_sock(sk);
	if (!err)
		err = udp_group_replace(sk, t);
	sockopt_release_sock(sk);

	if (err && t)
		udp_group_table_free(t);	/* never published */
	return err;
}

int udp_group_get_members(struct sock *sk, sockptr_t optval, sockptr_t optlen)
{
	struct udp_group_sock *gs = udp_group_of_sock(sk);
	struct udp_group_table *t = NULL;
	int len, need = 0, err = 0;
	u32 slot;

	if (copy_from_sockptr(&len, optlen, sizeof(len)))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;

	if (gs)
		t = udp_group_table_get(gs);
	if (t)
		need = t->members * sizeof(struct sockaddr_in);
	if (len < need)
		err = -ERANGE;
	if (copy_to_sockptr(optlen, &need, sizeof(need)))
		err = -EFAULT;
	if (err || !t)
		goto put_table;

	need = 0;
	for (slot = 0; slot < t->slots; slot++) {
		const struct udp_group_member *m = &t->slot[slot];

		if (udp_group_is_hole(m))
			continue;
		if (copy_to_sockptr_offset(optval, need, &m->addr.in,
					   sizeof(m->addr.in))) {
			err = -EFAULT;
			break;
		}
		need += sizeof(m->addr.in);
		cond_resched();
	}

put_table:
	if (t)
		udp_group_table_put(gs, t);
	return err;
}

void udp_group_free(struct udp_group *group)
{
	struct udp_group_sock *gs = udp_group_sock(group);
	struct udp_group_table *old;

	/* An ICMP error may be looking at the table, under the lock */
	spin_lock_bh(&gs->lock);
	old = udp_group_table_swap(gs, NULL);
	spin_unlock_bh(&gs->lock);

	if (old)
		udp_group_table_put(gs, old);
	udp_group_paths_forget(gs);
	kfree_rcu(gs, rcu);
}
