// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: one version of a group.
 *
 * A table is made from the addresses that the user gave, whole or not at all,
 * and does not change afterwards but for its members' counters.
 */

#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "udp_group_impl.h"

static u32 *udp_group_bucket(const struct udp_group_table *t, __be32 addr,
			     __be16 port)
{
	u32 hash = jhash_2words((__force u32)addr, (__force u32)port,
				t->hash_seed);

	return &t->hash[hash & t->hash_mask];
}

struct udp_group_member *udp_group_table_find(struct udp_group_table *t,
					      __be32 addr, __be16 port)
{
	u32 next = *udp_group_bucket(t, addr, port);

	while (next) {
		struct udp_group_member *m = &t->slot[next - 1];

		if (m->addr.in.sin_addr.s_addr == addr &&
		    m->addr.in.sin_port == port)
			return m;
		next = m->next;
	}
	return NULL;
}

static int udp_group_table_add(struct udp_group_table *t, u32 slot,
			       const struct sockaddr_in *sin)
{
	struct udp_group_member *m = &t->slot[slot];
	u32 *bucket;

	if (!sin->sin_port)
		return -EINVAL;
	if (udp_group_table_find(t, sin->sin_addr.s_addr, sin->sin_port))
		return -EADDRINUSE;

	m->addr.in.sin_family = AF_INET;
	m->addr.in.sin_port = sin->sin_port;
	m->addr.in.sin_addr = sin->sin_addr;
	m->ident = get_random_u16();

	bucket = udp_group_bucket(t, sin->sin_addr.s_addr, sin->sin_port);
	m->next = *bucket;
	*bucket = slot + 1;
	t->members++;
	return 0;
}

/* The addresses are packed, each as long as its own family says. */
static int udp_group_addr_len(const void *addr, unsigned int left)
{
	sa_family_t family;

	/* No address is shorter */
	if (left < sizeof(struct sockaddr_in))
		return -EINVAL;
	memcpy(&family, addr, sizeof(family));

	/* An AF_INET socket sends to IPv4 addresses */
	if (family != AF_INET)
		return -EAFNOSUPPORT;
	return sizeof(struct sockaddr_in);
}

static int udp_group_count_addrs(const void *addrs, unsigned int len)
{
	const void *end = addrs + len;
	int n;

	for (n = 0; addrs < end; n++) {
		int size = udp_group_addr_len(addrs, end - addrs);

		if (size < 0)
			return size;
		addrs += size;
	}
	return n;
}

static struct udp_group_table *udp_group_table_alloc(u32 slots)
{
	u32 buckets = roundup_pow_of_two(slots);
	struct udp_group_table *t;
	size_t size;

	/* Charged to the caller's memory cgroup: the user chooses how many */
	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return NULL;

	size = array_size(slots, sizeof(*t->slot));
	t->slot = kvzalloc(size_add(size, array_size(buckets,
						     sizeof(*t->hash))),
			   GFP_KERNEL_ACCOUNT);
	if (!t->slot) {
		kfree(t);
		return NULL;
	}

	refcount_set(&t->ref, 1);
	t->slots = slots;
	t->hash_mask = buckets - 1;
	t->hash_seed = get_random_u32();
	t->hash = (void *)t->slot + size;
	return t;
}

/* The slots are freed at once, so memory of old versions does not pile up
 * behind a grace period. Without a reference, nobody looks at them: but for
 * ICMP, which holds the lock that a version is replaced under.
 */
void udp_group_table_free(struct udp_group_table *t)
{
	u32 slot;

	for (slot = 0; slot < t->slots; slot++) {
		udp_group_path_put(unrcu_pointer(t->slot[slot].path));
		cond_resched();
	}
	kvfree(t->slot);
	kfree_rcu(t, rcu);
}

/**
 * udp_group_table_parse - make a table of packed addresses
 * @addrs: the addresses, in kernel memory
 * @len: length of them all, in bytes, not 0
 *
 * Return: the table with one reference, or
 * -EINVAL: an address is cut short, or has port 0,
 * -EAFNOSUPPORT: an address of another family,
 * -ENOBUFS: more addresses than the system allows,
 * -EADDRINUSE: an address is there twice,
 * -ENOMEM: no memory.
 */
struct udp_group_table *udp_group_table_parse(const void *addrs,
					      unsigned int len)
{
	struct udp_group_table *t;
	int n, slot, err;

	n = udp_group_count_addrs(addrs, len);
	if (n < 0)
		return ERR_PTR(n);
	if (n > READ_ONCE(sysctl_udp_group_max_members))
		return ERR_PTR(-ENOBUFS);

	t = udp_group_table_alloc(n);
	if (!t)
		return ERR_PTR(-ENOMEM);

	for (slot = 0; slot < n; slot++) {
		struct sockaddr_in sin;

		memcpy(&sin, addrs, sizeof(sin));
		err = udp_group_table_add(t, slot, &sin);
		if (err)
			goto free_table;
		addrs += sizeof(sin);
		cond_resched();
	}
	return t;

free_table:
	udp_group_table_free(t);
	return ERR_PTR(err);
}

/* The version in use, or NULL if there is none. */
struct udp_group_table *udp_group_table_get(struct udp_group_sock *gs)
{
	struct udp_group_table *t;

	rcu_read_lock();
	/* Pairs with rcu_replace_pointer() in udp_group_table_swap() */
	do
		t = rcu_dereference(gs->table);
	while (t && unlikely(!refcount_inc_not_zero(&t->ref)));
	rcu_read_unlock();
	return t;
}

void udp_group_table_put(struct udp_group_sock *gs, struct udp_group_table *t)
{
	if (!refcount_dec_and_test(&t->ref))
		return;
	atomic_dec(&gs->tables);
	udp_group_table_free(t);
}

/* Put a version, or none, in the place of the one in use. The caller holds
 * gs->lock, and puts the old one.
 */
struct udp_group_table *udp_group_table_swap(struct udp_group_sock *gs,
					     struct udp_group_table *t)
{
	return rcu_replace_pointer(gs->table, t, lockdep_is_held(&gs->lock));
}
