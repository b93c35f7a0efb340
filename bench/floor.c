//go:build ignore

/* What an agent check costs at the least on a machine: one thread that accepts, sends and closes. It prints its port. */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	static const char line[] = "up ready 100%\n";
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, SOMAXCONN) ||
	    getsockname(listener, (struct sockaddr *)&address, &size)) {
		perror("floor");
		return 1;
	}
	printf("127.0.0.1:%d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		int peer = accept(listener, NULL, NULL);
		if (peer < 0)
			continue;
		send(peer, line, sizeof line - 1, MSG_NOSIGNAL);
		close(peer);
	}
}
