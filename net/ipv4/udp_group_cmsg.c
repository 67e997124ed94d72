// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: what a program asks of a single send.
 *
 * The group's control messages are taken out before the others are read, here
 * and on the true path: nobody else knows them.
 */

#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/timekeeping.h>
#include <net/sock.h>
#include <net/udp.h>
#include "udp_group_impl.h"

#define UDP_GROUP_CMSG_HAS(type)	BIT((type) - UDP_GRP_SKIP)

static bool udp_group_cmsg_is_ours(const struct cmsghdr *cmsg)
{
	return cmsg->cmsg_level == SOL_UDP && cmsg->cmsg_type >= UDP_GRP_SKIP &&
	       cmsg->cmsg_type <= UDP_GRP_SPREAD;
}

static int udp_group_read_skip(struct udp_group_cmsg *c, const struct sock *sk,
			       const void *addrs, unsigned int len)
{
	const void *end = addrs + len;
	union udp_group_addr addr;
	int n, size;

	n = udp_group_addr_count(addrs, len, sk->sk_family);
	if (n <= 0)
		return n;

	/* As many as fit into a control message, see net.core.optmem_max */
	c->skip_keys = kvmalloc_array(n + 1, sizeof(*c->skip_keys),
				      GFP_KERNEL_ACCOUNT);
	if (!c->skip_keys)
		return -ENOMEM;
	for (; addrs < end; addrs += size) {
		size = udp_group_addr_parse(&addr, addrs, end - addrs,
					    sk->sk_family);
		if (size < 0)
			return size;
		udp_group_key_init(&c->skip_keys[c->nr_skip++], &addr);
	}
	return 0;
}

static int udp_group_cmsg_read_one(struct udp_group_cmsg *c,
				   const struct sock *sk,
				   const struct cmsghdr *cmsg)
{
	unsigned int len = cmsg->cmsg_len - sizeof(*cmsg);
	const void *data = CMSG_DATA(cmsg);

	if (c->has & UDP_GROUP_CMSG_HAS(cmsg->cmsg_type))
		return -EINVAL;
	c->has |= UDP_GROUP_CMSG_HAS(cmsg->cmsg_type);

	switch (cmsg->cmsg_type) {
	case UDP_GRP_SKIP:
		return udp_group_read_skip(c, sk, data, len);
	case UDP_GRP_RANGE:
		if (len != sizeof(c->range))
			return -EINVAL;
		memcpy(&c->range, data, sizeof(c->range));
		return 0;
	case UDP_GRP_PRIVATE:
		if (len != sizeof(c->private))
			return -EINVAL;
		memcpy(&c->private, data, sizeof(c->private));
		return c->private.reserved ? -EINVAL : 0;
	case UDP_GRP_SPREAD:
		if (len != sizeof(c->spread))
			return -EINVAL;
		memcpy(&c->spread, data, sizeof(c->spread));
		if (c->spread > UDP_GROUP_MAX_SPREAD)
			return -EINVAL;
		/* It needs what SCM_TXTIME needs */
		return c->spread && !sock_flag(sk, SOCK_TXTIME) ? -EINVAL : 0;
	}
	return -EINVAL;
}

/* Put a copy of the other messages in the place of all. With a departure time
 * for each member, that is one more.
 */
static int udp_group_cmsg_split(struct udp_group_send *s, size_t rest_len)
{
	struct udp_group_cmsg *c = s->cmsg;
	struct msghdr *msg = s->msg;
	size_t room = rest_len;
	struct cmsghdr *cmsg;
	void *to;

	c->user_control = msg->msg_control;
	c->user_controllen = msg->msg_controllen;
	if (c->spread)
		room += CMSG_SPACE(sizeof(u64));
	if (room) {
		c->rest = kvzalloc(room, GFP_KERNEL_ACCOUNT);
		if (!c->rest)
			return -ENOMEM;
	}

	to = c->rest;
	for_each_cmsghdr(cmsg, msg) {
		if (udp_group_cmsg_is_ours(cmsg))
			continue;
		if (c->spread && cmsg->cmsg_level == SOL_SOCKET &&
		    cmsg->cmsg_type == SCM_TXTIME)
			return -EINVAL;
		memcpy(to, cmsg, cmsg->cmsg_len);
		to += CMSG_ALIGN(cmsg->cmsg_len);
	}
	if (c->spread) {
		cmsg = to;
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_TXTIME;
		cmsg->cmsg_len = CMSG_LEN(sizeof(u64));
		c->txtime = (u64 *)CMSG_DATA(cmsg);
	}
	msg->msg_control = c->rest;
	msg->msg_controllen = room;
	return 0;
}

/**
 * udp_group_cmsg_read - read the group's control messages
 * @s: the send
 *
 * What is left in the message are the others. udp_group_cmsg_end() in any case.
 *
 * Return: 0, -EINVAL, -EAFNOSUPPORT or -ENOMEM.
 */
int udp_group_cmsg_read(struct udp_group_send *s)
{
	struct msghdr *msg = s->msg;
	struct cmsghdr *cmsg;
	size_t rest_len = 0;
	int err;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (!udp_group_cmsg_is_ours(cmsg)) {
			rest_len += CMSG_ALIGN(cmsg->cmsg_len);
			continue;
		}
		if (!s->cmsg)
			s->cmsg = kzalloc(sizeof(*s->cmsg), GFP_KERNEL);
		if (!s->cmsg)
			return -ENOMEM;
		err = udp_group_cmsg_read_one(s->cmsg, s->sk, cmsg);
		if (err)
			return err;
	}
	return s->cmsg ? udp_group_cmsg_split(s, rest_len) : 0;
}

/* Put back what the message came with: who sent it may send it once more. */
void udp_group_cmsg_end(struct udp_group_send *s)
{
	struct udp_group_cmsg *c = s->cmsg;

	if (c->user_control) {
		s->msg->msg_control = c->user_control;
		s->msg->msg_controllen = c->user_controllen;
	}
	kvfree(c->skip_keys);
	kvfree(c->rest);
	kfree(c);
}

/* ---- for one version of the group ---- */

static u32 udp_group_count_members(const struct udp_group_version *v, u32 first,
				   u32 end)
{
	u32 n = 0;

	while (first < end) {
		const struct udp_group_node *leaf = udp_group_leaf(v, first);
		u32 from = first % UDP_GROUP_FANOUT, to;

		to = min(UDP_GROUP_FANOUT, from + end - first);
		n += hweight64(leaf->used & GENMASK_ULL(to - 1, from));
		first += to - from;
	}
	return n;
}

static int udp_group_apply_range(struct udp_group_send *s)
{
	const struct udp_grp_range *range = &s->cmsg->range;

	s->first = min(range->first, s->v->slots);
	if (range->count)
		s->end = s->first + min(range->count, s->v->slots - s->first);
	s->members = udp_group_count_members(s->v, s->first, s->end);
	return 0;
}

static int udp_group_compare_slots(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

/* The slots of the addresses that are skipped, if these are members of this
 * version. The index has all of them as long as the version is in use: see
 * udp_group_let_go(). Returns false if it is no more.
 */
static bool udp_group_skip_find(struct udp_group_send *s, u32 *slots, u32 *n)
{
	struct udp_group_cmsg *c = s->cmsg;
	struct udp_group_sock *gs = s->gs;
	bool in_use = true;
	u32 i;

	*n = 0;
	for (i = 0; in_use && i < c->nr_skip; i++) {
		const struct udp_group_key *key = &c->skip_keys[i];
		struct udp_group_member *m = NULL;

		spin_lock_bh(&gs->lock);
		in_use = rcu_access_pointer(gs->version) == s->v;
		if (in_use)
			m = udp_group_index_find_heard(s->v->index, key);
		if (m && udp_group_member_at(s->v, m->slot) == m)
			slots[(*n)++] = m->slot;
		spin_unlock_bh(&gs->lock);
		cond_resched();
	}
	return in_use;
}

/* Returns -EAGAIN if the group has changed meanwhile. */
static int udp_group_apply_skip(struct udp_group_send *s)
{
	struct udp_group_cmsg *c = s->cmsg;
	u32 i, n, last, *slots;

	slots = kvmalloc_array(c->nr_skip + 1, sizeof(*slots),
			       GFP_KERNEL_ACCOUNT);
	if (!slots)
		return -ENOMEM;
	if (!udp_group_skip_find(s, slots, &n)) {
		kvfree(slots);
		return -EAGAIN;
	}

	sort(slots, n, sizeof(*slots), udp_group_compare_slots, NULL);
	last = U32_MAX;
	c->nr_skip = 0;
	for (i = 0; i < n; i++) {
		if (slots[i] < s->first || slots[i] >= s->end ||
		    slots[i] == last)
			continue;
		last = slots[i];
		slots[c->nr_skip++] = last;
	}
	slots[c->nr_skip] = U32_MAX;
	kvfree(c->skip_keys);
	c->skip = slots;
	s->next_skip = slots[0];
	return 0;
}

/* The shared part is what is behind the prefixes of all slots in the range. */
static int udp_group_apply_private(struct udp_group_send *s)
{
	const struct udp_grp_private *private = &s->cmsg->private;
	const struct udp_grp_range *range = &s->cmsg->range;
	u64 prefixes = (u64)private->length * (s->end - s->first);

	/* Pages that are not copied have no room for what is a member's own */
	if (s->msg->msg_flags & MSG_ZEROCOPY)
		return -EOPNOTSUPP;
	if (private->generation != s->v->generation)
		return -ESTALE;
	/* Slots that there are not have no prefixes */
	if (range->first > s->v->slots ||
	    (range->count && range->count != s->end - s->first))
		return -EINVAL;
	if (prefixes > s->len)
		return -EINVAL;
	s->private_len = private->length;
	s->len = s->len - prefixes + private->length;
	return 0;
}

static u64 udp_group_now(const struct sock *sk)
{
	switch (sk->sk_clockid) {
	case CLOCK_REALTIME:
		return ktime_get_real_ns();
	case CLOCK_TAI:
		return ktime_get_clocktai_ns();
	default:
		return ktime_get_ns();
	}
}

/**
 * udp_group_cmsg_apply - what the control messages mean for a version
 * @s: the send, with the version
 *
 * Return: 0, -EOPNOTSUPP, -ESTALE, -EINVAL or -ENOMEM; or -EAGAIN if another
 * version is in use by now, and this is to be called with that.
 */
int udp_group_cmsg_apply(struct udp_group_send *s)
{
	struct udp_group_cmsg *c = s->cmsg;
	int err;

	err = udp_group_apply_range(s);
	if (!err && c->nr_skip)
		err = udp_group_apply_skip(s);
	if (!err && c->has & UDP_GROUP_CMSG_HAS(UDP_GRP_PRIVATE))
		err = udp_group_apply_private(s);
	if (!err && c->spread)
		s->depart = udp_group_now(s->sk);
	return err;
}

/* When the datagram of a slot departs. */
u64 udp_group_departure(const struct udp_group_send *s, u32 slot)
{
	u32 slots = s->end - s->first;

	return s->depart + div_u64(s->cmsg->spread * (slot - s->first), slots);
}
