package dev.tidegate.gateway.presence;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * What Redis does in one go. KEYS: leases, members, version, the part of one gateway; all of one slot. Time is Redis' own, so that no two
 * clocks are compared. Each script is bounded by what it is given.
 */
final class PresenceScripts {
    /** A script and its SHA-1, by which Redis knows it once it has seen it. */
    record Script(String text, String digest) {
        static Script of(String text) {
            try {
                MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
                byte[] digest = sha1.digest(text.getBytes(StandardCharsets.UTF_8));
                return new Script(text, HexFormat.of().formatHex(digest));
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException("every JDK has SHA-1", e);
            }
        }
    }

    /** Sets {@code now} in milliseconds. */
    private static final String NOW = """
            local t = redis.call('TIME')
            local now = t[1] * 1000 + math.floor(t[2] / 1000)
            """;

    /** Keeps the channel's keys for so long from now on. */
    private static final String KEEP = """
            local function keep(ms)
              for i = 1, #KEYS do redis.call('PEXPIRE', KEYS[i], ms) end
            end
            """;

    /** Somebody came or left: the version moves, and all who watch are told. */
    private static final String NEWS = """
            local function news(channel, name)
              redis.call('SET', KEYS[3], string.format('%.0f', t[1] * 1000000 + t[2]))
              redis.call('PUBLISH', channel, name)
            end
            """;

    /**
     * A gateway's part. ARGV: key lifetime, Pub/Sub channel, channel, gateway, lease, anew, then member and connections by turns. The total of a
     * member moves by what changed of this part, so that two gateways never count over each other. A part is counted in the totals as long as
     * its gateway is among the leases, and no longer. Answers -1, with nothing done, if the part should be there and is not, or not whole.
     */
    static final Script UPDATE = Script.of(NOW + KEEP + NEWS + """
            local ends = redis.call('ZSCORE', KEYS[1], ARGV[4])
            local anew = ARGV[6] == '1'
            if not anew and (not ends or tonumber(ends) <= now) then return -1 end
            if anew and not ends then redis.call('DEL', KEYS[4]) end
            local changed = false
            local function set(member, n)
              local old = tonumber(redis.call('HGET', KEYS[4], member) or 0)
              if n == old then return end
              if n == 0 then redis.call('HDEL', KEYS[4], member) else redis.call('HSET', KEYS[4], member, n) end
              local all = redis.call('HINCRBY', KEYS[2], member, n - old)
              if all <= 0 then redis.call('HDEL', KEYS[2], member) end
              if all <= 0 or all == n - old then changed = true end
            end
            if anew then
              local given = {}
              for i = 7, #ARGV, 2 do given[ARGV[i]] = true end
              for _, member in ipairs(redis.call('HKEYS', KEYS[4])) do
                if not given[member] then set(member, 0) end
              end
            end
            for i = 7, #ARGV, 2 do set(ARGV[i], tonumber(ARGV[i + 1])) end
            if redis.call('EXISTS', KEYS[4]) == 1 then
              redis.call('ZADD', KEYS[1], now + tonumber(ARGV[5]), ARGV[4])
            else
              redis.call('ZREM', KEYS[1], ARGV[4])
            end
            if changed then news(ARGV[2], ARGV[3]) end
            keep(ARGV[1])
            return changed and 1 or 0
            """);

    /** A lease goes on, unless it has ended. ARGV: key lifetime, gateway, lease. Answers: held, version, ended gateways. */
    static final Script RENEW = Script.of(NOW + KEEP + """
            local ends = redis.call('ZSCORE', KEYS[1], ARGV[2])
            local held = 0
            if ends and tonumber(ends) > now and redis.call('EXISTS', KEYS[4]) == 1 then
              held = 1
              redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[2])
              keep(ARGV[1])
            end
            return {held, redis.call('GET', KEYS[3]) or '0', redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 10)}
            """);

    /** A channel as it is. ARGV: most members. Answers: how many there are, member and connections by turns, ended gateways. */
    static final Script READ = Script.of(NOW + """
            local count = redis.call('HLEN', KEYS[2])
            local page
            if count <= tonumber(ARGV[1]) then
              page = redis.call('HGETALL', KEYS[2])
            else
              page = redis.call('HSCAN', KEYS[2], 0, 'COUNT', ARGV[1])[2]
            end
            return {count, page, redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 10)}
            """);

    /**
     * Takes away up to some hundred members that an ended gateway left. ARGV: key lifetime, Pub/Sub channel, channel, gateway. Answers how many are
     * left. Where its part is gone and so cannot be subtracted, the totals mean nothing: all go, and every gateway tells its part anew.
     */
    static final Script CLEAR = Script.of(NOW + KEEP + NEWS + """
            local ends = redis.call('ZSCORE', KEYS[1], ARGV[4])
            if not ends or tonumber(ends) > now then return 0 end
            local left = 0
            if redis.call('EXISTS', KEYS[4]) == 0 then
              redis.call('DEL', KEYS[1], KEYS[2])
            else
              local page = redis.call('HSCAN', KEYS[4], 0, 'COUNT', 300)[2]
              for i = 1, #page, 2 do
                if redis.call('HINCRBY', KEYS[2], page[i], -page[i + 1]) <= 0 then redis.call('HDEL', KEYS[2], page[i]) end
                redis.call('HDEL', KEYS[4], page[i])
              end
              left = redis.call('HLEN', KEYS[4])
              if left == 0 then redis.call('ZREM', KEYS[1], ARGV[4]) end
            end
            news(ARGV[2], ARGV[3])
            keep(ARGV[1])
            return left
            """);

    /** A lease ends after the grace. ARGV: gateway, grace. */
    static final Script RELEASE = Script.of(NOW + """
            if redis.call('ZSCORE', KEYS[1], ARGV[1]) then redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1]) end
            return 0
            """);

    private PresenceScripts() {}
}
