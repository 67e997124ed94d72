/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libgroupcast: group unicast for UDP. A socket gets a group of destinations,
 * and one send transmits a datagram to every member.
 *
 * Every function that can fail returns a negative errno, and leaves errno
 * itself undefined. groupcast(7) is the overview.
 */
#ifndef GROUPCAST_GROUPCAST_H
#define GROUPCAST_GROUPCAST_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <linux/udp_group.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define GROUPCAST_VERSION_MAJOR 0
#define GROUPCAST_VERSION_MINOR 1
#define GROUPCAST_VERSION_PATCH 0

/* A socket with its group. (Not "struct groupcast", which would keep a C++
 * program from having a namespace of that name.)
 */
struct groupcast_group;

enum groupcast_backend {
    GROUPCAST_AUTO = 0,     /* the kernel's groups if it has them, else sendmmsg(2) */
    GROUPCAST_KERNEL = 1,   /* SO_SETGRP: see udp_group(7) */
    GROUPCAST_SENDMMSG = 2, /* a loop in the library, on any kernel */
};

/* The fd is an AF_INET UDP socket. It stays the caller's, who closes it after
 * groupcast_free().
 */
int groupcast_new(struct groupcast_group **out, int fd, enum groupcast_backend backend);

/* Dissolves the group. NULL is fine. */
void groupcast_free(struct groupcast_group *group);

/* The one in use, never GROUPCAST_AUTO. */
enum groupcast_backend groupcast_backend_of(const struct groupcast_group *group);
const char *groupcast_backend_name(enum groupcast_backend backend);
int groupcast_fd(const struct groupcast_group *group);
const char *groupcast_version(void);

/* Replaces the members by a packed sequence of addresses; len 0 dissolves the
 * group. Whole or not at all.
 */
int groupcast_set(struct groupcast_group *group, const void *addrs, size_t len);

/* The members in slot order. *len is the room in bytes, and then what they
 * take: with -ERANGE, what they would.
 */
int groupcast_get(const struct groupcast_group *group, void *addrs, size_t *len);

/* To every member. Returns len if it passed at least one of them: what became
 * of each is for groupcast_stat() to say.
 */
ssize_t groupcast_send(struct groupcast_group *group, const void *data, size_t len, int flags);

/* The same with control messages; a msg_name goes to that destination alone. */
ssize_t groupcast_sendmsg(struct groupcast_group *group, const struct msghdr *msg, int flags);

/* Fills in the totals and up to max records, and returns how many of those. */
int groupcast_stat(struct groupcast_group *group, struct udp_grpstat *totals,
                   struct udp_grpstat_member *records, size_t max);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* GROUPCAST_GROUPCAST_H */
