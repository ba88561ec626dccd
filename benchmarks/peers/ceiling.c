/* The ceiling: what the broker gives to a client that costs next to nothing. Built by peers.py with librabbitmq.

   ceiling enqueue HOST PORT USER PASSWORD VHOST COUNT   publishes with pipelined confirms
   ceiling drain   HOST PORT USER PASSWORD VHOST COUNT   consumes and acknowledges one by one
   ceiling work    HOST PORT USER PASSWORD VHOST COUNT [BYTES]   likewise, each ack after a result's confirm; a result
                                                         is the task, or so many bytes

   Prints "seconds S": of enqueue from the first publish to the last confirm, else from the first delivery to the
   last acknowledgement. */

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WINDOW = 1000, CHANNEL = 1, TASK_BYTES = 80, FRAME_MAX = 131072, IN_FLIGHT_BYTES = 32 << 20 };

static amqp_connection_state_t connection;
static amqp_basic_properties_t persistent = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};

static void fail(const char *what) {
    fprintf(stderr, "ceiling: %s failed\n", what);
    exit(1);
}

static void check(int status, const char *what) {
    if (status != AMQP_STATUS_OK) fail(what);
}

static void check_reply(const char *what) {
    if (amqp_get_rpc_reply(connection).reply_type != AMQP_RESPONSE_NORMAL) fail(what);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void declare(const char *queue, const char *type) {
    amqp_table_entry_t entry = {
        .key = amqp_cstring_bytes("x-queue-type"),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(type)},
    };
    amqp_table_t arguments = {.num_entries = 1, .entries = &entry};
    amqp_queue_declare(connection, CHANNEL, amqp_cstring_bytes(queue), 0, 1, 0, 0, arguments);
    check_reply("queue.declare");
}

static void publish(const char *queue, amqp_bytes_t body) {
    check(amqp_basic_publish(connection, CHANNEL, amqp_empty_bytes, amqp_cstring_bytes(queue), 1, 0, &persistent, body),
          "publish");
}

static amqp_frame_t next_frame(void) {
    amqp_frame_t frame;
    amqp_maybe_release_buffers(connection);
    check(amqp_simple_wait_frame(connection, &frame), "read");
    return frame;
}

/* Deliveries by the number of the result that must be confirmed first; a ring, since at most WINDOW are open. */
static uint64_t waiting[2 * WINDOW];
static uint64_t sent, first_open = 1, settled;

static void settle(uint64_t number, int has_deliveries) {
    uint64_t *delivery = &waiting[number % (2 * WINDOW)];
    if (*delivery) {
        if (has_deliveries) check(amqp_basic_ack(connection, CHANNEL, *delivery, 0), "ack");
        *delivery = 0;
        settled++;
    }
}

static void on_confirm(amqp_basic_ack_t *confirm, int has_deliveries) {
    uint64_t number = confirm->multiple ? first_open : confirm->delivery_tag;
    for (; number <= confirm->delivery_tag; number++) settle(number, has_deliveries);
    if (confirm->multiple) first_open = confirm->delivery_tag + 1;
}

static void enqueue(uint64_t count) {
    char task[TASK_BYTES + 1];
    while (settled < count) {
        while (sent < count && sent - settled < WINDOW) {
            snprintf(task, sizeof task, "{\"id\":\"task-%07llu\",\"type\":\"noop\",\"data\":{\"n\":\"%016llu\"},\"priority\":5}",
                     (unsigned long long)sent, (unsigned long long)sent);
            waiting[++sent % (2 * WINDOW)] = 1;
            publish("ceiling", (amqp_bytes_t){TASK_BYTES, task});
        }
        amqp_frame_t frame = next_frame();
        if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD) fail("confirm");
        on_confirm(frame.payload.method.decoded, 0);
    }
}

static double drain(uint64_t count, int has_results, amqp_bytes_t result) {
    double start = 0;
    uint64_t delivery = 0;
    int window = result.len ? (int)(IN_FLIGHT_BYTES / result.len) : WINDOW;
    amqp_basic_qos(connection, CHANNEL, 0, (uint16_t)(window < 1 ? 1 : window > WINDOW ? WINDOW : window), 0);
    check_reply("basic.qos");
    amqp_basic_consume(connection, CHANNEL, amqp_cstring_bytes("ceiling"), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    check_reply("basic.consume");
    while (settled < count) {
        amqp_frame_t frame = next_frame();
        if (frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_DELIVER_METHOD) {
            delivery = ((amqp_basic_deliver_t *)frame.payload.method.decoded)->delivery_tag;
            if (!start) start = now();
        } else if (frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD) {
            on_confirm(frame.payload.method.decoded, 1);
        } else if (frame.frame_type == AMQP_FRAME_BODY && has_results) {
            waiting[++sent % (2 * WINDOW)] = delivery;
            publish("ceiling.results", result.len ? result : frame.payload.body_fragment);
        } else if (frame.frame_type == AMQP_FRAME_BODY) {
            check(amqp_basic_ack(connection, CHANNEL, delivery, 0), "ack");
            settled++;
        }
    }
    return start;
}

int main(int argc, char **argv) {
    if (argc != 8 && argc != 9) fail("usage");
    amqp_bytes_t result = {.len = argc == 9 ? strtoull(argv[8], NULL, 10) : 0};
    if (result.len && !(result.bytes = malloc(result.len))) fail("malloc");
    if (result.len) memset(result.bytes, 'x', result.len);
    uint64_t count = strtoull(argv[7], NULL, 10);
    connection = amqp_new_connection();
    check(amqp_socket_open(amqp_tcp_socket_new(connection), argv[2], atoi(argv[3])), "connect");
    if (amqp_login(connection, argv[6], 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, argv[4], argv[5]).reply_type !=
        AMQP_RESPONSE_NORMAL)
        fail("login");
    amqp_channel_open(connection, CHANNEL);
    check_reply("channel.open");
    declare("ceiling", "quorum");
    declare("ceiling.results", "stream");
    amqp_confirm_select(connection, CHANNEL);
    check_reply("confirm.select");
    double start = now();
    if (!strcmp(argv[1], "enqueue"))
        enqueue(count);
    else
        start = drain(count, !strcmp(argv[1], "work"), result);
    printf("seconds %f\n", now() - start);
    amqp_channel_close(connection, CHANNEL, AMQP_REPLY_SUCCESS); /* answered only after what was sent before */
    amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
    return 0;
}
