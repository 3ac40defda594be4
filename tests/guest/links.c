/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Links tell of failures with their tag, monitors of every end; a normal end breaks no link. */
// expect: link 11 failed
// expect: monitored process ended
// expect: a killed process breaks its link: 12
// expect: nothing of a normal end
// expect: nothing after unlink and unmonitor
// expect: a process that is gone: link 15
// expect: a process that is gone: monitor
#include <lunatic.h>
#include <stdio.h>
#include <stdlib.h>

static void fail_when_told(const int *status)
{
    lun_message message;

    if (lun_receive(&message, LUN_FOREVER) == 0)
        lun_exit(*status);
}

static lun_process child(int status, int64_t link)
{
    return link ? LUN_SPAWN_LINK(fail_when_told, link, &status)
                : LUN_SPAWN(fail_when_told, &status);
}

static void expect(enum lun_kind kind, int64_t tag, lun_process process, const char *words)
{
    lun_message message;

    if (lun_receive(&message, 10000) != 0 || message.kind != kind || message.tag != tag ||
        message.process != process)
        abort();
    printf(words, (long long)tag);
}

int main(void)
{
    lun_message message;
    lun_process p;

    lun_die_with_links(false);
    lun_send(child(1, 11), 0, NULL, 0);
    expect(LUN_LINK_DIED, 11, 0, "link %lld failed\n");

    p = child(0, 0);
    lun_monitor(p);
    lun_send(p, 0, NULL, 0);
    expect(LUN_PROCESS_DIED, 0, p, "monitored process ended\n");

    lun_kill(child(0, 12));
    expect(LUN_LINK_DIED, 12, 0, "a killed process breaks its link: %lld\n");

    p = child(0, 13);
    lun_send(p, 0, NULL, 0);
    while (lun_exists(p))
        lun_sleep(1);
    if (lun_receive(&message, 20) == -LUN_ETIMEOUT)
        puts("nothing of a normal end");

    p = child(1, 14);
    lun_monitor(p);
    lun_unlink(p);
    lun_unmonitor(p);
    lun_sleep(1);
    lun_send(p, 0, NULL, 0);
    if (lun_receive(&message, 50) == -LUN_ETIMEOUT)
        puts("nothing after unlink and unmonitor");

    while (lun_exists(p))
        lun_sleep(1);
    lun_link(p, 15);
    expect(LUN_LINK_DIED, 15, 0, "a process that is gone: link %lld\n");
    lun_monitor(p);
    expect(LUN_PROCESS_DIED, 0, p, "a process that is gone: monitor\n");
    return 0;
}
