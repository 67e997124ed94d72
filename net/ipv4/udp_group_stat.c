// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: what became of the datagrams.
 */

#include <net/sock.h>
#include "udp_group_impl.h"

/* Any sender can be made to look unreachable by a forged ICMP message that
 * quotes its addresses and ports, as with every socket. So an error is counted
 * and reported, and nothing else follows from it.
 */
void udp_group_icmp(struct udp_group *group, const struct in6_addr *daddr,
		    __be16 dport, int ifindex, int err)
{
	struct udp_group_sock *gs = udp_group_sock(group);
	struct udp_group_member *m = NULL;
	struct udp_group_version *v;
	struct udp_group_key key;

	udp_group_key_init6(&key, daddr, dport, ifindex);

	/* The lock keeps the version, no reference: softirq cannot free it */
	spin_lock_bh(&gs->lock);
	v = rcu_dereference_protected(gs->version, lockdep_is_held(&gs->lock));
	if (v)
		m = udp_group_index_find_heard(v->index, &key);
	if (m) {
		/* 2^32 of them can be forged in an hour */
		atomic_add_unless(&m->icmp, 1, U32_MAX);
		udp_group_member_error(m, err);
		gs->icmp++;
	}
	spin_unlock_bh(&gs->lock);
}

static void udp_group_stat_member(const struct udp_group_member *m,
				  struct udp_grpstat_member *rec)
{
	memset(rec, 0, sizeof(*rec));
	rec->slot = m->slot;
	rec->error = READ_ONCE(m->error);
	rec->sent = atomic64_read(&m->sent);
	rec->failed = atomic64_read(&m->failed);
	rec->skipped = atomic64_read(&m->skipped);
	rec->icmp = (u32)atomic_read(&m->icmp);
	rec->addr = m->addr;
}

/* Copy out the records that fit, from req->first_slot on; count them there. */
static int udp_group_stat_copy_members(const struct udp_group_version *v,
				       struct udp_grpstat *req,
				       sockptr_t optval, int offset, int len)
{
	u32 slot;

	for (slot = req->first_slot; slot < v->slots; slot++) {
		const struct udp_group_member *m = udp_group_member_at(v, slot);
		struct udp_grpstat_member rec;

		if (!m)
			continue;
		if (len - offset < req->member_size)
			break;
		udp_group_stat_member(m, &rec);
		if (copy_to_sockptr_offset(optval, offset, &rec,
					   req->member_size))
			return -EFAULT;
		offset += req->member_size;
		req->records++;
		cond_resched();
	}
	return offset;
}

static void udp_group_stat_fill(struct udp_group_sock *gs,
				const struct udp_group_version *v,
				struct udp_grpstat *stat)
{
	spin_lock(&gs->totals_lock);
	stat->sends = gs->totals.sends;
	stat->sent = gs->totals.sent;
	stat->failed = gs->totals.failed;
	stat->skipped = gs->totals.skipped;
	stat->holes = gs->totals.holes;
	stat->unreached = gs->totals.unreached;
	spin_unlock(&gs->totals_lock);

	spin_lock_bh(&gs->lock);
	stat->generation = v ? v->generation : gs->generation;
	stat->icmp = gs->icmp;
	spin_unlock_bh(&gs->lock);

	if (v) {
		stat->members = v->members;
		stat->slots = v->slots;
	}
}

/* The sizes that the caller was compiled with come in, so that both
 * structures can grow: an older caller gets the part that it knows, a newer
 * one is told how much of what it knows is there.
 */
static int udp_group_stat_request(struct udp_grpstat *req, sockptr_t optval,
				  int len)
{
	memset(req, 0, sizeof(*req));
	if (len < offsetofend(struct udp_grpstat, records))
		return -EINVAL;
	if (copy_from_sockptr(req, optval, offsetofend(struct udp_grpstat,
						       records)))
		return -EFAULT;
	if (req->size < offsetofend(struct udp_grpstat, records) ||
	    req->size > len || req->size % sizeof(u64) ||
	    req->member_size % sizeof(u64) || req->records)
		return -EINVAL;

	req->member_size = min_t(u32, req->member_size,
				 sizeof(struct udp_grpstat_member));
	return 0;
}

int udp_group_get_stat(struct sock *sk, sockptr_t optval, sockptr_t optlen)
{
	struct udp_group_sock *gs = udp_group_of_sock(sk);
	struct udp_group_version *v = NULL;
	struct udp_grpstat req;
	u32 size;
	int len, end, err;

	if (copy_from_sockptr(&len, optlen, sizeof(len)))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	err = udp_group_stat_request(&req, optval, len);
	if (err)
		return err;

	if (gs) {
		v = udp_group_version_get(gs);
		udp_group_stat_fill(gs, v, &req);
	}

	/* Records begin where the caller's own structure ends */
	size = req.size;
	end = size;
	if (v && req.member_size) {
		end = udp_group_stat_copy_members(v, &req, optval, end, len);
		err = min(end, 0);
	}
	if (v)
		udp_group_version_put(gs, v);
	if (err)
		return err;

	req.size = min_t(u32, size, sizeof(req));
	if (copy_to_sockptr(optval, &req, req.size) ||
	    copy_to_sockptr(optlen, &end, sizeof(end)))
		return -EFAULT;
	return 0;
}
