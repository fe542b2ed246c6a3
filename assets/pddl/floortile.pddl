; Robots paint a floor of tiles in a pattern. A robot paints the tile above or below its own, and
; cannot stand on what is painted.
(define (domain floortile)
  (:requirements :strips :typing)
  (:types robot tile colour)
  (:predicates
    (robot-at ?r - robot ?x - tile)
    (robot-has ?r - robot ?c - colour)
    (available ?c - colour)
    (clear ?x - tile)
    (painted ?x - tile ?c - colour)
    (above ?x ?y - tile)
    (right-of ?x ?y - tile))

  (:action change-colour
    :parameters (?r - robot ?c ?new - colour)
    :precondition (and (robot-has ?r ?c) (available ?new))
    :effect (and (robot-has ?r ?new) (not (robot-has ?r ?c))))

  (:action paint-up
    :parameters (?r - robot ?y ?x - tile ?c - colour)
    :precondition (and (robot-has ?r ?c) (robot-at ?r ?x) (above ?y ?x) (clear ?y))
    :effect (and (painted ?y ?c) (not (clear ?y))))

  (:action paint-down
    :parameters (?r - robot ?y ?x - tile ?c - colour)
    :precondition (and (robot-has ?r ?c) (robot-at ?r ?x) (above ?x ?y) (clear ?y))
    :effect (and (painted ?y ?c) (not (clear ?y))))

  (:action up
    :parameters (?r - robot ?x ?y - tile)
    :precondition (and (robot-at ?r ?x) (above ?y ?x) (clear ?y))
    :effect (and (robot-at ?r ?y) (clear ?x) (not (robot-at ?r ?x)) (not (clear ?y))))

  (:action down
    :parameters (?r - robot ?x ?y - tile)
    :precondition (and (robot-at ?r ?x) (above ?x ?y) (clear ?y))
    :effect (and (robot-at ?r ?y) (clear ?x) (not (robot-at ?r ?x)) (not (clear ?y))))

  (:action right
    :parameters (?r - robot ?x ?y - tile)
    :precondition (and (robot-at ?r ?x) (right-of ?y ?x) (clear ?y))
    :effect (and (robot-at ?r ?y) (clear ?x) (not (robot-at ?r ?x)) (not (clear ?y))))

  (:action left
    :parameters (?r - robot ?x ?y - tile)
    :precondition (and (robot-at ?r ?x) (right-of ?x ?y) (clear ?y))
    :effect (and (robot-at ?r ?y) (clear ?x) (not (robot-at ?r ?x)) (not (clear ?y)))))
