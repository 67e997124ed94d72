/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The right-hand program of "Efficient Operating System Support for Group
 * Unicast" (Karsten, Song, Kwok, Brecht, NOSSDAV 2005), as it was printed.
 *
 * paper [ADDR:PORT...]
 *
 * Without arguments it makes three receivers on this host, and sees that each
 * gets the datagram.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/udp_group.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>

#define MAX_GRPSIZE 1024

static int GRPSIZE = 3;
static struct sockaddr_in addrs[MAX_GRPSIZE];
static int receivers[MAX_GRPSIZE];

static int parse(const char *arg, struct sockaddr_in *addr)
{
    const char *colon = strrchr(arg, ':');
    char text[INET_ADDRSTRLEN] = "";
    char *end;
    long port;

    if (!colon || (size_t)(colon - arg) >= sizeof(text))
        return 0;
    memcpy(text, arg, (size_t)(colon - arg));
    port = strtol(colon + 1, &end, 10);
    if (*end != '\0' || port < 1 || port > 65535)
        return 0;
    addr->sin_family = AF_INET;
    addr->sin_port = htons((unsigned short)port);
    return inet_pton(AF_INET, text, &addr->sin_addr) == 1;
}

static int make_receiver(struct sockaddr_in *addr)
{
    struct timeval timeout = {.tv_sec = 5};
    socklen_t len = sizeof(*addr);
    int fd = socket(PF_INET, SOCK_DGRAM, 0);

    addr->sin_family = AF_INET;
    addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)addr, len) < 0 ||
        getsockname(fd, (struct sockaddr *)addr, &len) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
        return -1;
    return fd;
}

static int got(int fd, const char *buf, ssize_t bytes)
{
    char copy[64];
    ssize_t n = recv(fd, copy, sizeof(copy), 0);

    return n == bytes && memcmp(copy, buf, (size_t)n) == 0;
}

int main(int argc, char **argv)
{
    char buf[] = "group unicast";
    ssize_t bytes = sizeof(buf);
    int missing = 0;
    int grp;
    int i;

    if (argc > 1 + MAX_GRPSIZE) {
        fprintf(stderr, "paper: at most %d members\n", MAX_GRPSIZE);
        return 1;
    }
    if (argc > 1)
        GRPSIZE = argc - 1;
    for (i = 0; i < GRPSIZE; i++) {
        if (argc > 1 && !parse(argv[i + 1], &addrs[i])) {
            fprintf(stderr, "paper: %s is not ADDR:PORT\n", argv[i + 1]);
            return 1;
        }
        if (argc == 1 && (receivers[i] = make_receiver(&addrs[i])) < 0) {
            perror("paper: receiver");
            return 1;
        }
    }

    /* clang-format off */
    grp = socket(PF_INET, SOCK_DGRAM, 0);
    setsockopt(grp, SOL_SOCKET, SO_SETGRP, addrs, GRPSIZE * sizeof(struct sockaddr_in));
    bytes = send(grp, buf, bytes, 0);
    /* clang-format on */

    if (bytes < 0) {
        int err = errno;

        fprintf(stderr, "paper: send: %s\n", strerror(err));
        if (err == EDESTADDRREQ)
            fprintf(stderr, "paper: there is no group: has this kernel SO_SETGRP?\n");
        return 1;
    }
    for (i = 0; argc == 1 && i < GRPSIZE; i++) {
        if (!got(receivers[i], buf, bytes)) {
            fprintf(stderr, "paper: receiver %d did not get it\n", i);
            missing++;
        }
    }
    printf("%zd bytes to %d members\n", bytes, GRPSIZE);
    return missing != 0;
}
