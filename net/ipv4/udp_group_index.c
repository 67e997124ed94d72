// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: members found by their address.
 *
 * A hash that grows by one bucket with each member, by linear hashing: the
 * buckets are split one after another, round after round, and in a round those
 * before @split have been. So a join costs the same in a small group and in a
 * large one, and no join moves all members. Buckets come in segments, each as
 * long as all before it together, so none is ever moved.
 *
 * The index holds the members of the version in use, and for the time of a
 * change more than these: who asks whether a member is in a version asks that
 * version, with udp_group_member_at().
 */

#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "udp_group_impl.h"

#define UDP_GROUP_SEGMENT0	16	/* buckets in the first segment */

static u32 udp_group_index_hash(const struct udp_group_index *index,
				const struct udp_group_key *key)
{
	BUILD_BUG_ON(sizeof(*key) % sizeof(u32));
	return jhash2((const u32 *)key, sizeof(*key) / sizeof(u32),
		      index->seed);
}

/* Segment 0 has buckets 0 to 15, segment n those from 2^(n+3) on, as many. */
static int udp_group_segment_of(u32 bucket)
{
	return bucket < UDP_GROUP_SEGMENT0 ? 0 : ilog2(bucket) - 3;
}

static u32 udp_group_segment_start(int segment)
{
	return segment ? UDP_GROUP_SEGMENT0 << (segment - 1) : 0;
}

static struct udp_group_member **
udp_group_bucket(const struct udp_group_index *index, u32 bucket)
{
	int segment = udp_group_segment_of(bucket);

	return &index->segment[segment][bucket -
					udp_group_segment_start(segment)];
}

static u32 udp_group_bucket_of(const struct udp_group_index *index, u32 hash)
{
	u32 bucket = hash & (2 * index->round - 1);

	/* That half of a bucket which does not exist yet is in the other */
	return bucket < index->round + index->split ? bucket :
						      bucket - index->round;
}

/* Is it time for another bucket, and is there memory for it? If there is none,
 * chains get longer.
 */
bool udp_group_index_reserve(struct udp_group_index *index)
{
	u32 next = index->round + index->split;
	int segment;
	u32 start;

	if (index->members < next || next >= UDP_GROUP_MAX_MEMBERS)
		return false;
	segment = udp_group_segment_of(next);
	if (index->segment[segment])
		return true;
	/* As long as all before it */
	start = udp_group_segment_start(segment);
	index->segment[segment] = kvcalloc(start, sizeof(**index->segment),
					   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	return index->segment[segment];
}

static void udp_group_index_split(struct udp_group_index *index)
{
	struct udp_group_member **from = udp_group_bucket(index, index->split);
	struct udp_group_member **to = udp_group_bucket(index, index->round +
							index->split);

	while (*from) {
		struct udp_group_member *m = *from;
		struct udp_group_key key;

		udp_group_key_init(&key, &m->addr);
		if (udp_group_index_hash(index, &key) & index->round) {
			*from = m->next;
			m->next = *to;
			*to = m;
		} else {
			from = &m->next;
		}
	}

	if (++index->split == index->round) {
		index->round *= 2;
		index->split = 0;
	}
}

struct udp_group_index *udp_group_index_alloc(void)
{
	struct udp_group_index *index;

	BUILD_BUG_ON(UDP_GROUP_SEGMENT0 << (UDP_GROUP_SEGMENTS - 1) <
		     UDP_GROUP_MAX_MEMBERS);
	index = kzalloc(sizeof(*index), GFP_KERNEL_ACCOUNT);
	if (!index)
		return NULL;
	index->segment[0] = kcalloc(UDP_GROUP_SEGMENT0,
				    sizeof(**index->segment),
				    GFP_KERNEL_ACCOUNT);
	if (!index->segment[0]) {
		kfree(index);
		return NULL;
	}
	index->seed = get_random_u32();
	index->round = UDP_GROUP_SEGMENT0;
	return index;
}

/* The members go by another way: see udp_group_version_release(). */
void udp_group_index_free(struct udp_group_index *index)
{
	int i;

	if (!index)
		return;
	for (i = 0; i < UDP_GROUP_SEGMENTS; i++)
		kvfree(index->segment[i]);
	kfree(index);
}

struct udp_group_member *udp_group_index_find(struct udp_group_index *index,
					      const struct udp_group_key *key)
{
	u32 bucket = udp_group_bucket_of(index,
					 udp_group_index_hash(index, key));
	struct udp_group_member *m;

	for (m = *udp_group_bucket(index, bucket); m; m = m->next) {
		struct udp_group_key has;

		udp_group_key_init(&has, &m->addr);
		if (!memcmp(&has, key, sizeof(has)))
			return m;
	}
	return NULL;
}

/* As above, by an address with the interface that it was heard on: a link-local
 * member may leave it to the socket which link that is.
 */
struct udp_group_member *
udp_group_index_find_heard(struct udp_group_index *index,
			   const struct udp_group_key *key)
{
	struct udp_group_member *m = udp_group_index_find(index, key);
	struct udp_group_key any = *key;

	if (m || !key->scope)
		return m;
	any.scope = 0;
	return udp_group_index_find(index, &any);
}

static struct udp_group_member **
udp_group_bucket_for(const struct udp_group_index *index,
		     const struct udp_group_member *m)
{
	struct udp_group_key key;
	u32 hash;

	udp_group_key_init(&key, &m->addr);
	hash = udp_group_index_hash(index, &key);
	return udp_group_bucket(index, udp_group_bucket_of(index, hash));
}

/* Insert into an index that nobody uses yet, or with the group's lock; which is
 * not taken where memory may be needed: see udp_group_index_reserve().
 */
void udp_group_index_insert(struct udp_group_index *index,
			    struct udp_group_member *m, bool grow)
{
	struct udp_group_member **bucket;

	if (grow)
		udp_group_index_split(index);
	bucket = udp_group_bucket_for(index, m);
	m->next = *bucket;
	*bucket = m;
	index->members++;
}

/* With the group's lock, if the index is in use: ICMP errors come any time. */
void udp_group_index_remove(struct udp_group_index *index,
			    struct udp_group_member *m)
{
	struct udp_group_member **at = udp_group_bucket_for(index, m);

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	index->members--;
}
