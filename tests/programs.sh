#!/usr/bin/env bash
# Builds programs as a user does, against what is installed: programs.sh OUT OBJ
# The paper's program with the headers that the kernel installs, as C; it and
# the examples also with what `make install` installs, found by pkg-config.
. "$(dirname "$0")/../kernel/scripts/common.sh"

out=$1 obj=$2
root=$out/root

rm -rf "$out"
mkdir -p "$out"
make -C "$REPO" install DESTDIR="$root" PREFIX=/usr

gcc -std=c11 -Wall -Wextra -Werror -I "$obj/usr/include" \
	-o "$out/paper" "$REPO/userspace/examples/paper.c"

export PKG_CONFIG_PATH=$root/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1
read -ra cflags < <(pkg-config --cflags libgroupcast)
read -ra libs < <(pkg-config --libs libgroupcast)

gcc -std=c11 -Wall -Wextra -Werror "${cflags[@]}" \
	-o "$out/paper-installed" "$REPO/userspace/examples/paper.c"
# Linked with the archive: the guest then needs no library of ours.
for example in "$REPO"/userspace/examples/*.cpp; do
	name=$(basename "$example" .cpp)
	g++ -std=c++20 -Wall -Wextra -Werror "${cflags[@]}" -o "$out/$name-shared" \
		"$example" "${libs[@]}"
	g++ -std=c++20 -Wall -Wextra -Werror "${cflags[@]}" -o "$out/$name" \
		"$example" "$root/usr/lib/libgroupcast.a"
done
LD_LIBRARY_PATH=$root/usr/lib GROUPCAST_BACKEND=sendmmsg "$out/hello-shared"
