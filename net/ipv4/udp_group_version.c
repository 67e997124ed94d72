// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group unicast for UDP: versions of a group.
 *
 * A version is a tree of three levels: 16 branches of 64 leaves of 64 slots.
 * What a version consists of does not change once it is published. A change
 * makes another version, with copies of the nodes on the way to the slots that
 * it is about, and shares all others with the version before. So a join or a
 * leave costs the same in a group of any size, and a send goes through with the
 * version that it found when it began, as long as it may take.
 *
 * Who frees what: a version remembers what it has and the next one has not,
 * nodes and members, as its garbage. When it is let go of, nobody needs its
 * garbage but versions that are older and still held. So then the garbage goes
 * to the next older one, unless it was made after that one. Nothing has
 * a reference count but versions, and what one that is held for ever can keep
 * is no more than what it consists of.
 *
 * Versions are found under RCU and held by reference. Their list and their
 * garbage are guarded by udp_group_sock.reclaim, a mutex: whoever holds
 * a version is in process context.
 */

#include <linux/slab.h>
#include "udp_group_impl.h"
#include "udp_group_path.h"

static struct kmem_cache *udp_group_node_cache __ro_after_init;
static struct kmem_cache *udp_group_member_cache __ro_after_init;

const struct udp_group_node udp_group_empty_leaf;

int __init udp_group_version_init(void)
{
	udp_group_node_cache = KMEM_CACHE(udp_group_node, SLAB_ACCOUNT);
	udp_group_member_cache = KMEM_CACHE(udp_group_member, SLAB_ACCOUNT);
	if (udp_group_node_cache && udp_group_member_cache)
		return 0;
	udp_group_version_exit();
	return -ENOMEM;
}

void udp_group_version_exit(void)
{
	kmem_cache_destroy(udp_group_member_cache);
	kmem_cache_destroy(udp_group_node_cache);
}

struct udp_group_member *udp_group_member_alloc(void)
{
	return kmem_cache_zalloc(udp_group_member_cache, GFP_KERNEL_ACCOUNT);
}

void udp_group_member_free(struct udp_group_member *m)
{
	udp_group_path_put(unrcu_pointer(m->path));
	kmem_cache_free(udp_group_member_cache, m);
}

/* ---- garbage ---- */

static void udp_group_garbage_init(struct udp_group_garbage *g)
{
	INIT_LIST_HEAD(&g->trees);
	g->nodes = NULL;
	g->members = NULL;
}

static void udp_group_garbage_add_node(struct udp_group_garbage *g,
				       struct udp_group_node *node)
{
	node->next = g->nodes;
	g->nodes = node;
}

static void udp_group_garbage_add_member(struct udp_group_garbage *g,
					 struct udp_group_member *m)
{
	m->next = g->members;
	g->members = m;
}

/* Free a leaf with its members, or a branch with all below it. */
static void udp_group_node_free_all(struct udp_group_node *node, int level)
{
	int i;

	if (!node)
		return;
	for (i = 0; i < UDP_GROUP_FANOUT; i++) {
		if (level)
			udp_group_node_free_all(node->node[i], level - 1);
		else if (node->member[i])
			udp_group_member_free(node->member[i]);
	}
	kmem_cache_free(udp_group_node_cache, node);
	cond_resched();
}

static void udp_group_tree_free(struct udp_group_sock *gs,
				struct udp_group_version *v)
{
	int i;

	for (i = 0; i < UDP_GROUP_BRANCHES; i++)
		udp_group_node_free_all(v->branch[i], 1);
	udp_group_index_free(v->index);
	atomic_dec(&gs->trees);
	kfree_rcu(v, rcu);
}

/* Give @to what it may have of it, and free the rest; @to is NULL if nobody
 * is left.
 */
static void udp_group_garbage_pass(struct udp_group_sock *gs,
				   struct udp_group_garbage *g,
				   struct udp_group_version *to)
{
	struct udp_group_version *v, *next;
	struct udp_group_member *m;
	struct udp_group_node *node;

	while ((node = g->nodes)) {
		g->nodes = node->next;
		if (to && node->generation <= to->generation)
			udp_group_garbage_add_node(&to->garbage, node);
		else
			kmem_cache_free(udp_group_node_cache, node);
	}
	while ((m = g->members)) {
		g->members = m->next;
		if (to && m->generation <= to->generation)
			udp_group_garbage_add_member(&to->garbage, m);
		else
			udp_group_member_free(m);
		cond_resched();
	}
	list_for_each_entry_safe(v, next, &g->trees, list) {
		list_del(&v->list);
		if (to)
			list_add(&v->list, &to->garbage.trees);
		else
			udp_group_tree_free(gs, v);
	}
}

/* ---- versions ---- */

void udp_group_versions_init(struct udp_group_sock *gs)
{
	mutex_init(&gs->reclaim);
	INIT_LIST_HEAD(&gs->versions);
}

/* Nobody has the version any more: what is left of it goes its way. */
void udp_group_version_release(struct udp_group_sock *gs,
			       struct udp_group_version *v)
{
	struct udp_group_version *older = NULL;

	mutex_lock(&gs->reclaim);
	if (!list_is_first(&v->list, &gs->versions))
		older = list_prev_entry(v, list);
	/* One that it has nothing in common with needs nothing of it */
	if (older && older->index != v->index)
		older = NULL;
	list_del(&v->list);
	udp_group_garbage_pass(gs, &v->garbage, older);
	atomic_dec(&gs->nr_versions);
	if (!v->owns_tree)
		kfree_rcu(v, rcu);
	else if (older)
		list_add(&v->list, &older->garbage.trees);
	else
		udp_group_tree_free(gs, v);
	mutex_unlock(&gs->reclaim);
}

/* ---- changes ---- */

static void udp_group_copy_version(struct udp_group_version *v,
				   const struct udp_group_version *old)
{
	v->members = old->members;
	v->ip4 = old->ip4;
	v->slots = old->slots;
	v->used = old->used;
	v->full = old->full;
	v->index = old->index;
	memcpy(v->branch, old->branch, sizeof(v->branch));
}

/**
 * udp_group_edit_begin - begin to make another version
 * @edit: the change
 * @old: version in use, which it is made from, the socket being locked; or NULL
 *	to begin with no members
 *
 * A version that does not come from another has generation 0 until it is
 * published, and so have its nodes for ever: it can be made without the lock.
 *
 * Return: 0 or -ENOMEM. Ends with udp_group_publish(), or with
 * udp_group_edit_abort().
 */
int udp_group_edit_begin(struct udp_group_edit *edit,
			 const struct udp_group_version *old)
{
	struct udp_group_version *v;

	v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	if (!v)
		return -ENOMEM;
	refcount_set(&v->ref, 1);
	udp_group_garbage_init(&v->garbage);
	if (old) {
		v->generation = old->generation + 1;
		udp_group_copy_version(v, old);
	} else {
		v->index = udp_group_index_alloc();
		if (!v->index) {
			kfree(v);
			return -ENOMEM;
		}
	}

	edit->v = v;
	edit->is_new_tree = !old;
	edit->nr_left = 0;
	udp_group_garbage_init(&edit->garbage);
	return 0;
}

/* The node at @at, made the new version's own if it is not. */
static struct udp_group_node *udp_group_own(struct udp_group_edit *edit,
					    struct udp_group_node **at)
{
	struct udp_group_node *node, *old = *at;

	if (old && old->generation == edit->v->generation)
		return old;

	node = kmem_cache_zalloc(udp_group_node_cache, GFP_KERNEL_ACCOUNT);
	if (!node)
		return NULL;
	if (old) {
		memcpy(node, old, sizeof(*node));
		udp_group_garbage_add_node(&edit->garbage, old);
	}
	node->generation = edit->v->generation;
	*at = node;
	return node;
}

static void udp_group_update_slots(struct udp_group_version *v)
{
	const struct udp_group_node *branch, *leaf;
	u32 b, l;

	v->slots = 0;
	if (!v->used)
		return;
	b = __fls(v->used);
	branch = v->branch[b];
	l = fls64(branch->used) - 1;
	leaf = branch->node[l];
	v->slots = (b * UDP_GROUP_FANOUT + l) * UDP_GROUP_FANOUT +
		   fls64(leaf->used);
}

/* The lowest slot that has no member; there is one. */
static u32 udp_group_lowest_hole(const struct udp_group_version *v)
{
	const struct udp_group_node *branch, *leaf = NULL;
	u32 b = ffz(v->full), l = 0, s = 0;

	branch = v->branch[b];
	if (branch) {
		l = __ffs64(~branch->full);
		leaf = branch->node[l];
	}
	if (leaf)
		s = __ffs64(~leaf->used);
	return (b * UDP_GROUP_FANOUT + l) * UDP_GROUP_FANOUT + s;
}

/* Put a member into the lowest slot that is free. */
int udp_group_edit_add(struct udp_group_edit *edit, struct udp_group_member *m)
{
	struct udp_group_version *v = edit->v;
	struct udp_group_node *branch, *leaf;
	u32 b, l, s;

	m->slot = udp_group_lowest_hole(v);
	m->generation = v->generation;
	b = m->slot / (UDP_GROUP_FANOUT * UDP_GROUP_FANOUT);
	l = m->slot / UDP_GROUP_FANOUT % UDP_GROUP_FANOUT;
	s = m->slot % UDP_GROUP_FANOUT;

	branch = udp_group_own(edit, &v->branch[b]);
	if (!branch)
		return -ENOMEM;
	v->used |= BIT(b);
	leaf = udp_group_own(edit, &branch->node[l]);
	if (!leaf)
		return -ENOMEM;
	branch->used |= BIT_ULL(l);

	leaf->member[s] = m;
	leaf->used |= BIT_ULL(s);
	if (leaf->used == U64_MAX)
		branch->full |= BIT_ULL(l);
	if (branch->full == U64_MAX)
		v->full |= BIT(b);
	v->members++;
	v->ip4 += udp_group_addr_is_ip4(&m->addr);
	v->slots = max(v->slots, m->slot + 1);
	return 0;
}

/* Make a hole of a member's slot. The member itself is left alone. */
int udp_group_edit_remove(struct udp_group_edit *edit,
			  const struct udp_group_member *m)
{
	struct udp_group_version *v = edit->v;
	struct udp_group_node *branch, *leaf;
	u32 b, l, s;

	b = m->slot / (UDP_GROUP_FANOUT * UDP_GROUP_FANOUT);
	l = m->slot / UDP_GROUP_FANOUT % UDP_GROUP_FANOUT;
	s = m->slot % UDP_GROUP_FANOUT;

	branch = udp_group_own(edit, &v->branch[b]);
	if (!branch)
		return -ENOMEM;
	leaf = udp_group_own(edit, &branch->node[l]);
	if (!leaf)
		return -ENOMEM;

	leaf->member[s] = NULL;
	leaf->used &= ~BIT_ULL(s);
	branch->full &= ~BIT_ULL(l);
	v->full &= ~BIT(b);
	v->members--;
	v->ip4 -= udp_group_addr_is_ip4(&m->addr);
	/* Nodes without members would be gone through by each send */
	if (!leaf->used) {
		branch->node[l] = NULL;
		branch->used &= ~BIT_ULL(l);
		kmem_cache_free(udp_group_node_cache, leaf);
	}
	if (!branch->used) {
		v->branch[b] = NULL;
		v->used &= ~BIT(b);
		kmem_cache_free(udp_group_node_cache, branch);
	}
	if (m->slot + 1 == v->slots)
		udp_group_update_slots(v);
	return 0;
}

/* Free what the new version has of its own: a leaf with the members that came
 * with it, or a branch with such leaves.
 */
static void udp_group_free_own(struct udp_group_sock *gs,
			       struct udp_group_edit *edit,
			       struct udp_group_node *node, int level)
{
	u64 generation = edit->v->generation;
	struct udp_group_member *m;
	int i;

	if (!node || node->generation != generation)
		return;
	for (i = 0; i < UDP_GROUP_FANOUT; i++) {
		if (level) {
			udp_group_free_own(gs, edit, node->node[i], level - 1);
			continue;
		}
		m = node->member[i];
		if (!m || m->generation != generation)
			continue;
		if (!edit->is_new_tree) {
			spin_lock_bh(&gs->lock);
			udp_group_index_remove(edit->v->index, m);
			spin_unlock_bh(&gs->lock);
		}
		udp_group_member_free(m);
	}
	kmem_cache_free(udp_group_node_cache, node);
	cond_resched();
}

/* Undo a change that was not published, its new members included. @gs can be
 * NULL if it made an empty group's first version.
 */
void udp_group_edit_abort(struct udp_group_sock *gs,
			  struct udp_group_edit *edit)
{
	int i;

	for (i = 0; i < UDP_GROUP_BRANCHES; i++)
		udp_group_free_own(gs, edit, edit->v->branch[i], 1);
	if (edit->is_new_tree)
		udp_group_index_free(edit->v->index);
	kfree(edit->v);
}

/* Members that left are found no more, and go with the last version that has
 * them. They were found until now, so that whoever looks for one of the members
 * of a version while it is in use finds it: see udp_group_skip_find().
 */
static void udp_group_let_go(struct udp_group_sock *gs,
			     struct udp_group_edit *edit,
			     struct udp_group_version *old)
{
	u32 i;

	for (i = 0; i < edit->nr_left; i++) {
		spin_lock_bh(&gs->lock);
		udp_group_index_remove(old->index, edit->left[i]);
		spin_unlock_bh(&gs->lock);
		udp_group_garbage_add_member(&old->garbage, edit->left[i]);
		cond_resched();
	}
}

/**
 * udp_group_publish - put a version in the place of the one in use
 * @gs: the group
 * @edit: change that makes it, or NULL if there are no members any more
 *
 * The socket is locked. From now on sends begin with this version.
 */
void udp_group_publish(struct udp_group_sock *gs, struct udp_group_edit *edit)
{
	struct udp_group_version *v = edit ? edit->v : NULL, *old;

	mutex_lock(&gs->reclaim);
	if (v) {
		v->generation = gs->generation + 1;
		list_add_tail(&v->list, &gs->versions);
		atomic_inc(&gs->nr_versions);
		if (edit->is_new_tree)
			atomic_inc(&gs->trees);
	}

	spin_lock_bh(&gs->lock);
	old = rcu_replace_pointer(gs->version, v, lockdep_is_held(&gs->lock));
	gs->generation++;
	/* Pairs with READ_ONCE() in udp_group_get_active(), which only asks
	 * whether to come here; the version is what a send goes by.
	 */
	WRITE_ONCE(gs->group.members, v ? v->members : 0);
	spin_unlock_bh(&gs->lock);

	if (old)
		old->owns_tree = !v || edit->is_new_tree;
	if (old && edit) {
		udp_group_garbage_pass(gs, &edit->garbage, old);
		udp_group_let_go(gs, edit, old);
	}
	mutex_unlock(&gs->reclaim);

	if (old)
		udp_group_version_put(gs, old);
	if (!v)
		udp_group_paths_forget(gs);
}
