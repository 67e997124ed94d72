// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: who is in the group.
 *
 * Each call makes one version of the group or changes nothing.
 */

#include <linux/skmsg.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/sock.h>
#include "udp_group_impl.h"
#include "udp_group_path.h"

static struct udp_group_sock *udp_group_create(struct sock *sk)
{
	struct udp_group_sock *gs;

	gs = kzalloc(sizeof(*gs), GFP_KERNEL_ACCOUNT);
	if (!gs)
		return NULL;

	spin_lock_init(&gs->lock);
	seqcount_spinlock_init(&gs->flow_seq, &gs->lock);
	spin_lock_init(&gs->totals_lock);
	udp_group_versions_init(gs);
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

/* ---- addresses from user space ---- */

/**
 * struct udp_group_addrs - addresses that an option came with
 * @packed: as they came, in kernel memory
 * @len: length of that
 * @n: how many they are
 */
struct udp_group_addrs {
	void		*packed;
	unsigned int	len;
	int		n;
};

static void udp_group_addrs_free(struct udp_group_addrs *addrs)
{
	kvfree(addrs->packed);
}

/* All of them are whole, and of families that the socket sends to. */
static int udp_group_addrs_read(struct udp_group_addrs *addrs,
				const struct sock *sk, sockptr_t optval,
				unsigned int optlen)
{
	int err = -EFAULT;

	/* Before memory is taken for it; a group counts exactly */
	if (optlen > UDP_GROUP_MAX_MEMBERS * sizeof(struct sockaddr_in6))
		return -ENOBUFS;

	addrs->packed = kvmalloc(optlen, GFP_KERNEL_ACCOUNT);
	if (!addrs->packed)
		return -ENOMEM;
	addrs->len = optlen;
	if (copy_from_sockptr(addrs->packed, optval, optlen))
		goto free_addrs;

	err = udp_group_addr_count(addrs->packed, optlen, sk->sk_family);
	if (err < 0)
		goto free_addrs;
	addrs->n = err;
	return 0;

free_addrs:
	udp_group_addrs_free(addrs);
	return err;
}

/* ---- joining ---- */

/* @gs is NULL for a version that does not come from one in use. */
static void udp_group_insert(struct udp_group_sock *gs,
			     struct udp_group_index *index,
			     struct udp_group_member *m)
{
	bool grow = udp_group_index_reserve(index);

	if (!gs) {
		udp_group_index_insert(index, m, grow);
		return;
	}
	spin_lock_bh(&gs->lock);
	udp_group_index_insert(index, m, grow);
	spin_unlock_bh(&gs->lock);
}

static int udp_group_add(struct udp_group_sock *gs, struct udp_group_edit *edit,
			 const union udp_group_addr *addr)
{
	struct udp_group_index *index = edit->v->index;
	struct udp_group_member *m;
	struct udp_group_key key;
	int err;

	udp_group_key_init(&key, addr);
	if (udp_group_index_find(index, &key))
		return -EADDRINUSE;

	m = udp_group_member_alloc();
	if (!m)
		return -ENOMEM;
	m->addr = *addr;
	m->ident = get_random_u16();
	err = udp_group_edit_add(edit, m);
	if (err) {
		udp_group_member_free(m);
		return err;
	}
	udp_group_insert(gs, index, m);
	return 0;
}

static int udp_group_add_all(struct udp_group_sock *gs,
			     struct udp_group_edit *edit, const struct sock *sk,
			     const struct udp_group_addrs *addrs)
{
	const void *end = addrs->packed + addrs->len, *at;
	union udp_group_addr addr;
	int err;

	if (addrs->n > READ_ONCE(sysctl_udp_group_max_members) ||
	    edit->v->members + addrs->n >
	    READ_ONCE(sysctl_udp_group_max_members))
		return -ENOBUFS;

	for (at = addrs->packed; at < end; at += udp_group_addr_len(&addr)) {
		err = udp_group_addr_parse(&addr, at, end - at, sk->sk_family);
		if (err > 0)
			err = udp_group_add(gs, edit, &addr);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

/* Old versions can be held by sends that block for as long as they like. */
static int udp_group_check_versions(const struct udp_group_sock *gs,
				    bool is_new_tree)
{
	if (atomic_read(&gs->nr_versions) >= UDP_GROUP_MAX_VERSIONS)
		return -EBUSY;
	if (is_new_tree && atomic_read(&gs->trees) >= UDP_GROUP_MAX_TREES)
		return -EBUSY;
	return 0;
}

/* Publish a group that comes from no other. */
static int udp_group_replace(struct sock *sk, struct udp_group_edit *edit)
{
	struct udp_group_sock *gs;
	int err;

	err = udp_group_check_sock(sk);
	if (err)
		return err;
	gs = udp_group_of_sock(sk) ?: udp_group_create(sk);
	if (!gs)
		return -ENOMEM;
	err = udp_group_check_versions(gs, true);
	if (!err)
		udp_group_publish(gs, edit);
	return err;
}

static int udp_group_dissolve(struct sock *sk)
{
	struct udp_group_sock *gs = udp_group_of_sock(sk);
	int err;

	err = udp_group_check_sock(sk);
	if (!err && gs && rcu_access_pointer(gs->version))
		udp_group_publish(gs, NULL);
	return err;
}

int udp_group_set_members(struct sock *sk, sockptr_t optval,
			  unsigned int optlen)
{
	struct udp_group_addrs addrs;
	struct udp_group_edit edit;
	int err;

	if (!optlen) {
		sockopt_lock_sock(sk);
		err = udp_group_dissolve(sk);
		sockopt_release_sock(sk);
		return err;
	}

	err = udp_group_addrs_read(&addrs, sk, optval, optlen);
	if (err)
		return err;
	err = udp_group_edit_begin(&edit, NULL);
	if (err)
		goto free_addrs;

	err = udp_group_add_all(NULL, &edit, sk, &addrs);
	if (!err) {
		sockopt_lock_sock(sk);
		err = udp_group_replace(sk, &edit);
		sockopt_release_sock(sk);
	}
	if (err)
		udp_group_edit_abort(NULL, &edit);
free_addrs:
	udp_group_addrs_free(&addrs);
	return err;
}

static int udp_group_join(struct sock *sk, const struct udp_group_addrs *addrs)
{
	struct udp_group_sock *gs = udp_group_of_sock(sk);
	struct udp_group_version *old;
	struct udp_group_edit edit;
	int err;

	err = udp_group_check_sock(sk);
	if (err)
		return err;
	if (!gs)
		gs = udp_group_create(sk);
	if (!gs)
		return -ENOMEM;

	old = udp_group_version_locked(gs, sk);
	err = udp_group_check_versions(gs, !old);
	if (err)
		return err;
	err = udp_group_edit_begin(&edit, old);
	if (err)
		return err;
	err = udp_group_add_all(old ? gs : NULL, &edit, sk, addrs);
	if (err)
		udp_group_edit_abort(gs, &edit);
	else
		udp_group_publish(gs, &edit);
	return err;
}

/* ---- leaving ---- */

static int udp_group_leave_one(struct udp_group_edit *edit,
			       const union udp_group_addr *addr)
{
	struct udp_group_member *m;
	struct udp_group_key key;
	int err;

	udp_group_key_init(&key, addr);
	m = udp_group_index_find_heard(edit->v->index, &key);
	/* One that was named before is still found, but has no slot any more */
	if (!m || udp_group_member_at(edit->v, m->slot) != m)
		return -EADDRNOTAVAIL;

	err = udp_group_edit_remove(edit, m);
	if (!err)
		edit->left[edit->nr_left++] = m;
	return err;
}

static int udp_group_leave_all(struct udp_group_edit *edit,
			       const struct sock *sk,
			       const struct udp_group_addrs *addrs)
{
	const void *end = addrs->packed + addrs->len, *at;
	union udp_group_addr addr;
	int err;

	for (at = addrs->packed; at < end; at += udp_group_addr_len(&addr)) {
		err = udp_group_addr_parse(&addr, at, end - at, sk->sk_family);
		if (err > 0)
			err = udp_group_leave_one(edit, &addr);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

static int udp_group_leave(struct sock *sk, const struct udp_group_addrs *addrs)
{
	struct udp_group_sock *gs = udp_group_of_sock(sk);
	struct udp_group_version *old = NULL;
	struct udp_group_edit edit;
	int err;

	err = udp_group_check_sock(sk);
	if (err)
		return err;
	if (addrs->n > UDP_GROUP_MAX_MEMBERS)
		return -ENOBUFS;
	if (gs)
		old = udp_group_version_locked(gs, sk);
	if (!old || addrs->n > old->members)
		return -EADDRNOTAVAIL;
	err = udp_group_check_versions(gs, false);
	if (err)
		return err;

	err = udp_group_edit_begin(&edit, old);
	if (err)
		return err;
	edit.left = kvmalloc_array(addrs->n, sizeof(*edit.left),
				   GFP_KERNEL_ACCOUNT);
	err = edit.left ? udp_group_leave_all(&edit, sk, addrs) : -ENOMEM;
	if (err || !edit.v->members)
		udp_group_edit_abort(gs, &edit);
	else
		udp_group_publish(gs, &edit);
	/* The last ones have left */
	if (!err && addrs->n == old->members)
		udp_group_publish(gs, NULL);
	kvfree(edit.left);
	return err;
}

/* SO_ADDGRP and SO_DELGRP: all of the addresses join or leave, or none. */
int udp_group_change_members(struct sock *sk, int optname, sockptr_t optval,
			     unsigned int optlen)
{
	struct udp_group_addrs addrs;
	int err;

	if (!optlen)
		return -EINVAL;
	err = udp_group_addrs_read(&addrs, sk, optval, optlen);
	if (err)
		return err;

	sockopt_lock_sock(sk);
	if (optname == SO_ADDGRP)
		err = udp_group_join(sk, &addrs);
	else
		err = udp_group_leave(sk, &addrs);
	sockopt_release_sock(sk);
	udp_group_addrs_free(&addrs);
	return err;
}

/* ---- reading ---- */

static unsigned int udp_group_members_len(const struct udp_group_version *v)
{
	unsigned int len = 0;
	u32 slot;

	for (slot = 0; slot < v->slots; slot++) {
		const struct udp_group_member *m = udp_group_member_at(v, slot);

		if (m)
			len += udp_group_addr_len(&m->addr);
	}
	return len;
}

int udp_group_get_members(struct sock *sk, sockptr_t optval, sockptr_t optlen)
{
	struct udp_group_sock *gs = udp_group_of_sock(sk);
	struct udp_group_version *v = NULL;
	int len, need = 0, err = 0;
	u32 slot;

	if (copy_from_sockptr(&len, optlen, sizeof(len)))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;

	if (gs)
		v = udp_group_version_get(gs);
	if (v)
		need = udp_group_members_len(v);
	if (len < need)
		err = -ERANGE;
	if (copy_to_sockptr(optlen, &need, sizeof(need)))
		err = -EFAULT;
	if (err || !v)
		goto put_version;

	need = 0;
	for (slot = 0; slot < v->slots; slot++) {
		const struct udp_group_member *m = udp_group_member_at(v, slot);
		unsigned int size;

		if (!m)
			continue;
		size = udp_group_addr_len(&m->addr);
		if (copy_to_sockptr_offset(optval, need, &m->addr, size)) {
			err = -EFAULT;
			break;
		}
		need += size;
		cond_resched();
	}

put_version:
	if (v)
		udp_group_version_put(gs, v);
	return err;
}

/* ---- flags ---- */

int udp_group_set_flags(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	struct udp_group_sock *gs;
	int err = 0;
	u32 flags;

	if (optlen != sizeof(flags))
		return -EINVAL;
	if (copy_from_sockptr(&flags, optval, sizeof(flags)))
		return -EFAULT;
	if (flags & ~GRP_F_COUNT)
		return -EINVAL;

	sockopt_lock_sock(sk);
	gs = udp_group_of_sock(sk);
	/* Flags of a socket that has had no group yet are kept for its first */
	if (!gs && flags)
		gs = udp_group_create(sk);
	if (gs)
		WRITE_ONCE(gs->flags, flags);
	else if (flags)
		err = -ENOMEM;
	sockopt_release_sock(sk);
	return err;
}

int udp_group_get_flags(struct sock *sk, sockptr_t optval, sockptr_t optlen)
{
	struct udp_group_sock *gs = udp_group_of_sock(sk);
	u32 flags = gs ? READ_ONCE(gs->flags) : 0;
	int len;

	if (copy_from_sockptr(&len, optlen, sizeof(len)))
		return -EFAULT;
	if (len < (int)sizeof(flags))
		return -EINVAL;
	len = sizeof(flags);
	if (copy_to_sockptr(optval, &flags, len) ||
	    copy_to_sockptr(optlen, &len, sizeof(len)))
		return -EFAULT;
	return 0;
}

/* The socket is gone, and with it whoever could hold a version. */
void udp_group_free(struct udp_group *group)
{
	struct udp_group_sock *gs = udp_group_sock(group);

	if (rcu_access_pointer(gs->version))
		udp_group_publish(gs, NULL);
	udp_group_paths_forget(gs);
	kfree_rcu(gs, rcu);
}
