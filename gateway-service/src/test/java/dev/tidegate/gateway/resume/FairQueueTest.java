package dev.tidegate.gateway.resume;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FairQueueTest {
    private record Item(Integer owner, int number) {}

    @Test
    void oneWithAThousandThingsDoesNotKeepTheOthersWaiting() {
        // given
        FairQueue<Item> queue = new FairQueue<>(10_000);
        Integer crowd = 1000;
        for (int i = 0; i < 1000; i++) {
            queue.offer(crowd, new Item(crowd, i));
        }
        List<Integer> others = List.of(1001, 1002, 1003);
        for (Integer o : others) {
            queue.offer(o, new Item(o, 0));
        }

        // when
        List<Item> first = List.of(queue.poll(), queue.poll(), queue.poll(), queue.poll(), queue.poll());

        // then
        assertThat(first)
                .extracting(Item::owner)
                .containsExactly(crowd, others.get(0), others.get(1), others.get(2), crowd);
        assertThat(queue.size()).isEqualTo(998);
    }

    @Test
    void refusesBeyondItsBound() {
        FairQueue<Item> queue = new FairQueue<>(2);
        assertThat(queue.offer("a", new Item(1, 1))).isTrue();
        assertThat(queue.offer("a", new Item(1, 2))).isTrue();
        assertThat(queue.offer("b", new Item(2, 1))).isFalse();
        assertThat(queue.poll()).isNotNull();
        assertThat(queue.offer("b", new Item(2, 1))).isTrue();
    }

    @Test
    void whatIsTakenBackFreesItsRoomAndKeepsTheTurnsOfTheOthers() {
        // given
        FairQueue<Item> queue = new FairQueue<>(3);
        Integer stays = 1001;
        Item first = new Item(stays, 1);
        Item second = new Item(stays, 2);
        assertThat(queue.offer(stays, first)).isTrue();
        assertThat(queue.offer(stays, second)).isTrue();
        // when
        for (int i = 0; i < 1000; i++) {
            Integer passing = 2000 + i;
            Item item = new Item(passing, 0);
            assertThat(queue.offer(passing, item)).isTrue();
            assertThat(queue.remove(passing, item)).isTrue();
            assertThat(queue.remove(passing, item)).isFalse();
        }
        Integer comesBack = 2999;
        Item back = new Item(comesBack, 1);
        assertThat(queue.offer(comesBack, back)).isTrue();
        assertThat(queue.remove(stays, first)).isTrue();
        // then
        assertThat(queue.size()).isEqualTo(2);
        assertThat(queue.poll()).isSameAs(second);
        assertThat(queue.poll()).isSameAs(back);
        assertThat(queue.poll()).isNull();
        assertThat(queue.size()).isZero();
        assertThat(queue.offer(stays, first)).isTrue();
        assertThat(queue.poll()).isSameAs(first);
    }

    @Test
    void whoeverWaitsIsPassedByNobodyTwice() {
        // given
        long seed = new Random().nextLong(1L << 40);
        Random random = new Random(seed);
        FairQueue<Item> queue = new FairQueue<>(1 << 20);
        List<Integer> owners = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            owners.add(10_000 + i); // each one object, since owners are told apart by identity
        }
        Map<Integer, Integer> put = new HashMap<>();
        Map<Integer, Integer> taken = new HashMap<>();
        Map<Integer, Map<Integer, Integer>> passedBy = new HashMap<>(); // by whoever waits: who was served since

        for (int step = 0; step < 50_000; step++) {
            if (random.nextInt(5) < 3) {
                // when
                Integer owner = owners.get(random.nextInt(1 + random.nextInt(owners.size())));
                if (put.merge(owner, 1, Integer::sum) - taken.getOrDefault(owner, 0) == 1) {
                    passedBy.put(owner, new HashMap<>());
                }
                queue.offer(owner, new Item(owner, put.get(owner)));
            } else {
                Item item = queue.poll();
                if (item == null) {
                    continue;
                }

                // then
                assertThat(item.number()).as("seed %s", seed).isEqualTo(taken.merge(item.owner(), 1, Integer::sum));
                passedBy.remove(item.owner());
                for (Map<Integer, Integer> served : passedBy.values()) {
                    assertThat(served.merge(item.owner(), 1, Integer::sum))
                            .as("seed %s", seed)
                            .isEqualTo(1);
                }
                if (put.get(item.owner()) > taken.get(item.owner())) {
                    passedBy.put(item.owner(), new HashMap<>());
                }
            }
        }
    }
}
