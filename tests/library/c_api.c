/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The header as a C11 program sees it, and every function of it. Returns 0, or
 * the line that failed.
 */
#include <groupcast/groupcast.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int c_api(void);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

/* Who is in the group */
static int membership(struct groupcast_group *group, const struct sockaddr_in *members)
{
    struct sockaddr_in got[2] = {0};
    size_t len = sizeof(got[0]);

    CHECK(groupcast_send(group, "x", 1, 0) == -EDESTADDRREQ);
    CHECK(groupcast_set(group, members, sizeof(got)) == 0);
    CHECK(groupcast_get(group, got, &len) == -ERANGE && len == sizeof(got));
    CHECK(groupcast_get(group, got, &len) == 0 && len == sizeof(got));
    CHECK(memcmp(got, members, sizeof(got)) == 0);

    CHECK(groupcast_add(group, members, sizeof(members[0])) == -EADDRINUSE);
    CHECK(groupcast_del(group, members, sizeof(members[0])) == 0);
    CHECK(groupcast_del(group, members, sizeof(members[0])) == -EADDRNOTAVAIL);
    CHECK(groupcast_get(group, got, &len) == 0 && len == sizeof(got[1]));
    CHECK(memcmp(got, &members[1], sizeof(got[1])) == 0);
    CHECK(groupcast_add(group, members, sizeof(members[0])) == 0);
    return 0;
}

/* Data that both have got */
static int both_got(const int *receivers, const char *data)
{
    const ssize_t len = (ssize_t)strlen(data);
    char buf[16];
    int i;

    for (i = 0; i < 2; i++)
        CHECK(recv(receivers[i], buf, sizeof(buf), 0) == len && memcmp(buf, data, len) == 0);
    return 0;
}

static int sends(struct groupcast_group *group, const int *receivers,
                 const struct sockaddr_in *members)
{
    struct iovec pieces[2] = {{"da", 2}, {"ta", 2}};
    struct msghdr msg = {.msg_iov = pieces, .msg_iovlen = 2};
    struct groupcast_send_options options = {.size = sizeof(options)};
    struct udp_grpstat_member records[2];
    struct udp_grpstat totals;
    uint32_t flags = 1;
    char buf[16];

    CHECK(groupcast_send(group, "send", 4, 0) == 4);
    CHECK(both_got(receivers, "send") == 0);
    CHECK(groupcast_sendmsg(group, &msg, 0) == 4);
    CHECK(both_got(receivers, "data") == 0);

    options.skip = &members[0];
    options.skip_len = sizeof(members[0]);
    CHECK(groupcast_send_with(group, "with", 4, 0, &options) == 4);
    CHECK(recv(receivers[1], buf, sizeof(buf), 0) == 4 && memcmp(buf, "with", 4) == 0);
    CHECK(recv(receivers[0], buf, sizeof(buf), MSG_DONTWAIT) < 0 && errno == EAGAIN);

    CHECK(groupcast_flags(group, &flags) == 0 && flags == 0);
    CHECK(groupcast_set_flags(group, GRP_F_COUNT) == 0);
    CHECK(groupcast_flags(group, &flags) == 0 && flags == GRP_F_COUNT);
    CHECK(groupcast_send(group, "slots", 5, 0) == 2);
    CHECK(both_got(receivers, "slots") == 0);

    CHECK(groupcast_stat(group, &totals, records, 2) == 2);
    CHECK(totals.sends == 4 && totals.sent == 7 && totals.skipped == 1);
    CHECK(records[0].sent == 3 && records[0].skipped == 1 && records[1].sent == 4);
    return 0;
}

int c_api(void)
{
    struct groupcast_group *group = NULL;
    struct sockaddr_in members[2] = {0};
    int receivers[2];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    int line;
    int i;

    for (i = 0; i < 2; i++) {
        socklen_t addr_len = sizeof(members[i]);

        receivers[i] = socket(AF_INET, SOCK_DGRAM, 0);
        members[i].sin_family = AF_INET;
        members[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(bind(receivers[i], (struct sockaddr *)&members[i], addr_len) == 0);
        CHECK(getsockname(receivers[i], (struct sockaddr *)&members[i], &addr_len) == 0);
    }
    CHECK(strcmp(groupcast_version(), "0.1.0") == 0);
    CHECK(groupcast_new(&group, fd, GROUPCAST_AUTO) == 0);
    CHECK(groupcast_backend_of(group) != GROUPCAST_AUTO);
    CHECK(strcmp(groupcast_backend_name(GROUPCAST_KERNEL), "kernel") == 0);
    CHECK(groupcast_fd(group) == fd);
    line = membership(group, members);
    if (line == 0)
        line = sends(group, receivers, members);
    groupcast_free(group);
    for (i = 0; i < 2; i++)
        close(receivers[i]);
    close(fd);
    return line;
}
