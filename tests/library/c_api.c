/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The header as a C11 program sees it. Returns 0, or the line that failed.
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

int c_api(void)
{
    struct groupcast_group *group = NULL;
    struct sockaddr_in members[2] = {0};
    struct sockaddr_in got[2] = {0};
    struct udp_grpstat_member records[2];
    struct udp_grpstat totals;
    size_t len = sizeof(got);
    int receivers[2];
    char buf[16];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    int i;

    for (i = 0; i < 2; i++) {
        socklen_t addr_len = sizeof(members[i]);

        receivers[i] = socket(AF_INET, SOCK_DGRAM, 0);
        members[i].sin_family = AF_INET;
        members[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(bind(receivers[i], (struct sockaddr *)&members[i], addr_len) == 0);
        CHECK(getsockname(receivers[i], (struct sockaddr *)&members[i], &addr_len) == 0);
    }
    CHECK(groupcast_new(&group, fd, GROUPCAST_AUTO) == 0);
    CHECK(groupcast_backend_of(group) != GROUPCAST_AUTO);
    CHECK(groupcast_send(group, "x", 1, 0) == -EDESTADDRREQ);
    CHECK(groupcast_set(group, members, sizeof(members)) == 0);
    CHECK(groupcast_get(group, got, &len) == 0 && len == sizeof(got));
    CHECK(memcmp(got, members, sizeof(got)) == 0);
    CHECK(groupcast_send(group, "data", 4, 0) == 4);
    for (i = 0; i < 2; i++)
        CHECK(recv(receivers[i], buf, sizeof(buf), 0) == 4 && memcmp(buf, "data", 4) == 0);
    CHECK(groupcast_stat(group, &totals, records, 2) == 2);
    CHECK(totals.sent == 2 && records[1].sent == 1);
    groupcast_free(group);
    for (i = 0; i < 2; i++)
        close(receivers[i]);
    close(fd);
    return 0;
}
