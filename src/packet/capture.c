// SPDX-License-Identifier: BSD-2-Clause
#include "packet/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

struct capture {
	char *name; /* for errors */
	pcap_t *pcap;
	uint64_t packets;  /* read so far */
	uint64_t captured; /* bytes of them */
	uint64_t size;
};

static uint64_t file_size(FILE *file)
{
	struct stat status;

	if (fstat(fileno(file), &status) || !S_ISREG(status.st_mode))
		return 0;
	return status.st_size;
}

static int refuse_link_type(const char *name, int type, struct error *error)
{
	const char *type_name = pcap_datalink_val_to_name(type);
	const char *description = pcap_datalink_val_to_description(type);

	if (type_name && description)
		error_at(error, (struct location){ .file = name }, "link type is %s (%s), not Ethernet", type_name,
			 description);
	else
		error_at(error, (struct location){ .file = name }, "link type is %d, not Ethernet", type);
	error_hint(error, "XDP sees Ethernet frames: capture on one Ethernet interface");
	return -EINVAL;
}

int capture_open(const char *path, struct capture **capture, struct error *error)
{
	bool standard_input = strcmp(path, "-") == 0;
	const char *name = standard_input ? "standard input" : path;
	char message[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap;
	int type;

	if (!standard_input && access(path, R_OK))
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	pcap = pcap_open_offline(path, message);
	if (!pcap) {
		error_at(error, (struct location){ .file = name }, "%s", message);
		error_hint(error, "Sluice reads pcap and pcapng; unpack a compressed capture first");
		return -EINVAL;
	}
	type = pcap_datalink(pcap);
	if (type != DLT_EN10MB) {
		pcap_close(pcap);
		return refuse_link_type(name, type, error);
	}
	*capture = xcalloc(1, sizeof(**capture));
	(*capture)->name = xstrdup(name);
	(*capture)->pcap = pcap;
	(*capture)->size = file_size(pcap_file(pcap));
	return 0;
}

int capture_next(struct capture *capture, struct captured *packet, struct error *error)
{
	struct pcap_pkthdr *header;
	const u_char *bytes;
	int result = pcap_next_ex(capture->pcap, &header, &bytes);

	if (result == PCAP_ERROR_BREAK)
		return 0;
	if (result < 0)
		return error_at(error, (struct location){ .file = capture->name }, "after packet %llu: %s",
				(unsigned long long)capture->packets, pcap_geterr(capture->pcap));
	capture->packets++;
	capture->captured += header->caplen;
	packet->bytes = bytes;
	packet->time = header->ts.tv_sec * 1000000000ULL + header->ts.tv_usec * 1000ULL;
	packet->time += !packet->time;
	packet->size = header->caplen;
	packet->length = header->len > header->caplen ? header->len : header->caplen;
	return 1;
}

uint64_t capture_position(const struct capture *capture)
{
	off_t position = ftello(pcap_file(capture->pcap));

	return position < 0 ? capture->captured : (uint64_t)position; /* a pipe has no position */
}

uint64_t capture_size(const struct capture *capture)
{
	return capture->size;
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	pcap_close(capture->pcap);
	free(capture->name);
	free(capture);
}
