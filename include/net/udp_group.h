/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Group unicast for UDP: what the socket layer and UDP know of it.
 *
 * The engine is a module (udp_group). It registers one table of operations,
 * and the hooks below lead to it. They are all that the rest of the kernel
 * sees: an engine attached in another way would need no change inside.
 */
#ifndef _NET_UDP_GROUP_H
#define _NET_UDP_GROUP_H

#include <linux/jump_label.h>
#include <linux/sockptr.h>
#include <linux/udp.h>
#include <uapi/linux/udp_group.h>

struct module;
struct msghdr;
struct sock;

struct udp_group;

/**
 * struct udp_group_ops - how the hooks reach the engine
 * @owner: module that is held for as long as a socket has a group
 * @setsockopt: SO_*GRP* options; udp_group_attach() at the first member
 * @getsockopt: SO_*GRP* options. The socket may have no group yet.
 * @sendmsg: send to every member; called by udp_sendmsg() without locks, and
 *	with its arguments where they are
 * @icmp_error: attribute an ICMP error to its member, an IPv4 address being
 *	mapped; softirq, under RCU
 * @free: free what was taken from the socket. ICMP readers may still look
 *	at it for a grace period; nobody else does.
 */
struct udp_group_ops {
	struct module	*owner;
	int	(*setsockopt)(struct sock *sk, int optname, sockptr_t optval,
			      unsigned int optlen);
	int	(*getsockopt)(struct sock *sk, int optname, sockptr_t optval,
			      sockptr_t optlen);
	int	(*sendmsg)(struct sock *sk, struct msghdr *msg, size_t len,
			   struct udp_group *group);
	void	(*icmp_error)(struct udp_group *group,
			      const struct in6_addr *daddr, __be16 dport,
			      int ifindex, int err);
	void	(*free)(struct udp_group *group);
};

/**
 * struct udp_group - what the hooks see of a socket's group
 * @ops: the engine that made it
 * @members: members now; 0 once the group is dissolved. Written under the
 *	socket lock, read anywhere.
 *
 * A socket gets one at its first SO_SETGRP and keeps it until it is
 * destroyed, so whoever holds a reference to the socket may use it.
 */
struct udp_group {
	const struct udp_group_ops	*ops;
	u32				members;
};

static inline bool udp_group_is_sockopt(int optname)
{
	return optname >= SO_SETGRP && optname <= SO_GRPFLAGS;
}

#ifdef CONFIG_UDP_GROUP_HOOKS

DECLARE_STATIC_KEY_FALSE(udp_group_needed);
extern unsigned int sysctl_udp_group_max_members;

int udp_group_register(const struct udp_group_ops *ops);
void udp_group_unregister(const struct udp_group_ops *ops);
void udp_group_attach(struct sock *sk, struct udp_group *group);

int udp_group_setsockopt(struct sock *sk, int optname, sockptr_t optval,
			 unsigned int optlen);
int udp_group_getsockopt(struct sock *sk, int optname, sockptr_t optval,
			 sockptr_t optlen);
int udp_group_security_sendmsg(struct sock *sk, struct msghdr *msg, int len);
bool __udp_group_icmp_error(struct sock *sk, struct sk_buff *skb, int err,
			    __be16 port, u32 info, u8 *payload);
bool __udp_group_icmp6_error(struct sock *sk, const struct in6_addr *daddr,
			     __be16 port, int ifindex, int err);
void __udp_group_destroy(struct sock *sk);

/* The group of a socket, if it has members. */
static inline struct udp_group *udp_group_get_active(const struct sock *sk)
{
	struct udp_group *group;

	if (!static_branch_unlikely(&udp_group_needed))
		return NULL;

	/* Set once, and gone only when the socket is: see struct udp_group. */
	group = rcu_dereference_check(udp_sk(sk)->group, true);
	if (!group || !READ_ONCE(group->members))
		return NULL;
	return group;
}

/* The group that a message goes to. A destination of its own comes first, and
 * so do frames that are pending: the message is then a part of their datagram.
 */
static inline struct udp_group *udp_group_of_msg(const struct sock *sk,
						 const struct msghdr *msg)
{
	struct udp_group *group = udp_group_get_active(sk);

	if (!group || msg->msg_name || READ_ONCE(udp_sk(sk)->pending))
		return NULL;
	return group;
}

/* True if the error was a group's: it is dealt with, and not sk_err's. */
static inline bool udp_group_icmp_error(struct sock *sk, struct sk_buff *skb,
					int err, __be16 port, u32 info,
					u8 *payload)
{
	return static_branch_unlikely(&udp_group_needed) &&
	       __udp_group_icmp_error(sk, skb, err, port, info, payload);
}

/* The same for IPv6, but for the error queue. */
static inline bool udp_group_icmp6_error(struct sock *sk,
					 const struct in6_addr *daddr,
					 __be16 port, int ifindex, int err)
{
	return static_branch_unlikely(&udp_group_needed) &&
	       __udp_group_icmp6_error(sk, daddr, port, ifindex, err);
}

static inline void udp_group_destroy(struct sock *sk)
{
	if (static_branch_unlikely(&udp_group_needed))
		__udp_group_destroy(sk);
}

#else

static inline int udp_group_setsockopt(struct sock *sk, int optname,
				       sockptr_t optval, unsigned int optlen)
{
	return -ENOPROTOOPT;
}

static inline int udp_group_getsockopt(struct sock *sk, int optname,
				       sockptr_t optval, sockptr_t optlen)
{
	return -ENOPROTOOPT;
}

static inline struct udp_group *udp_group_get_active(const struct sock *sk)
{
	return NULL;
}

static inline struct udp_group *udp_group_of_msg(const struct sock *sk,
						 const struct msghdr *msg)
{
	return NULL;
}

static inline bool udp_group_icmp_error(struct sock *sk, struct sk_buff *skb,
					int err, __be16 port, u32 info,
					u8 *payload)
{
	return false;
}

static inline bool udp_group_icmp6_error(struct sock *sk,
					 const struct in6_addr *daddr,
					 __be16 port, int ifindex, int err)
{
	return false;
}

static inline void udp_group_destroy(struct sock *sk)
{
}

#endif /* CONFIG_UDP_GROUP_HOOKS */

#endif /* _NET_UDP_GROUP_H */
